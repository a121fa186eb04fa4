#include "pipelines/trial/trial.h"

#include <fmt/format.h>

#include <filesystem>

#include "pipelines/queue/memory_queue.h"
#include "pipelines/run/dispatcher.h"
#include "pipelines/run/intake.h"
#include "pipelines/run/settlement.h"
#include "pipelines/trial/cast.h"
#include "pipelines/trial/given.h"
#include "reactor/loop/time_lapse.h"

namespace musher {

namespace {
constexpr Duration kHeld = std::chrono::hours(1);  // by the test's clock: the sink stays broken
constexpr int kMostLeaps = 100'000;                // a step that runs for eleven days makes so many
constexpr Duration kGrace = milliseconds(1);

class Trial {
  public:
    Trial(Loop& loop, const Given& given, const Surroundings& around,
          std::shared_ptr<const Program> program)
        : loop_(loop),
          given_(given),
          around_(around),
          program_(std::move(program)),
          happenings_(loop.clock()),
          tally_(loop.clock(), happenings_, program_->config().name),
          queue_(program_->config().name, loop.clock()),
          dispatcher_(around, program_, queue_, tally_, nullptr,
                      [this](const std::vector<Settlement>& batch) {
                          dispatcher_.settled_done(batch.size());
                          changed_.wake_all();
                      }),
          changed_(loop.ready()) {}

    Task<void> run(Observed& seen);
    /// The clock has leapt.
    void look();
    void tire();

  private:
    Task<Result<std::string>> admit(Observed& seen);
    Task<void> end(std::string id, Observed& seen);
    Task<bool> over();
    void give_up(std::string outcome, std::string reason);

    Loop& loop_;
    const Given& given_;
    const Surroundings& around_;
    std::shared_ptr<const Program> program_;
    EventRing happenings_;
    Tally tally_;
    MemoryQueue queue_;
    Dispatcher dispatcher_;
    Waiters changed_;
    int leaps_ = 0;
    std::optional<Instant> held_since_;
    std::string outcome_;  // when it was given up
    std::string reason_;
};

/// The job's id; none when `when` is false.
Task<Result<std::string>> Trial::admit(Observed& seen) {
    const Intake intake(around_, program_, queue_, tally_, Intake::Listener());
    MUSHER_CO_TRY(std::optional<Job> job, intake.make_job(given_.event, ""));
    if (!job) co_return std::string();
    seen.key = job->key;
    seen.dedupe = job->dedupe;
    std::string id = job->id;
    std::vector<Job> one{std::move(*job)};
    Cancel never;
    MUSHER_CO_DO(co_await queue_.put(std::move(one), never));
    co_return id;
}

Task<void> Trial::run(Observed& seen) {
    const Result<std::string> id = co_await admit(seen);
    if (!id) {
        seen.outcome = "unfinished";
        seen.reason = id.error().text();
        co_return;
    }
    if (id->empty()) {
        seen.outcome = "skipped";
        seen.reason = "`when` is false for it";
        co_return;
    }
    Scope scope("trial", loop_.ready(), loop_.clock());
    Cancel stop;
    Cancel never;
    scope.spawn("dispatcher", dispatcher_.run(stop, kGrace));
    for (;;) {
        const bool ended = co_await over();
        if (ended) break;
        const Result<void> woken = co_await changed_.wait(never);
        static_cast<void>(woken);
    }
    stop.request();
    co_await scope.join();
    co_await end(*id, seen);
}

/// The job and that of its on_failure steps have come to their ends, or nobody waits any longer.
Task<bool> Trial::over() {
    if (!outcome_.empty()) co_return true;
    Cancel never;
    const Result<QueueStats> stats = co_await queue_.stats(never);
    co_return stats->waiting + stats->delayed + stats->running == 0;
}

Task<void> Trial::end(std::string id, Observed& seen) {
    Cancel never;
    const Result<JobRow> row = co_await queue_.show(id, never);
    if (!row) co_return;
    seen.outcome = outcome_.empty() ? std::string(state_name(row->state)) : outcome_;
    seen.reason = reason_;
    seen.attempts = row->attempt;
    seen.error = row->error;
    seen.story = row->story;
    const Result<JobRow> alarm = co_await queue_.show(on_failure_id(id), never);
    if (!alarm) co_return;
    for (const Json& line : alarm->story) seen.story.push_back(line);
}

void Trial::give_up(std::string outcome, std::string reason) {
    if (!outcome_.empty()) return;
    outcome_ = std::move(outcome);
    reason_ = std::move(reason);
    changed_.wake_all();
}

void Trial::look() {
    const Instant now = loop_.clock().now();
    const Hold& hold = dispatcher_.hold();
    if (!hold.active()) {
        held_since_.reset();
    } else if (!held_since_) {
        held_since_ = now;
    } else if (now - *held_since_ > kHeld) {
        give_up("held", hold.sink() + ": " + hold.reason());
    }
    if (++leaps_ > kMostLeaps) give_up("unfinished", "by the test's clock it never ends");
}

void Trial::tire() {
    give_up("unfinished", fmt::format("not over within {}", format_duration(kTrialPatience)));
}

/// What a hot folder does with the original then.
std::string file_after(const PipelineConfig& pipeline, const Observed& seen, bool refused) {
    if (pipeline.source_kind != "hotfolder") return "";
    const auto option = [&](std::string_view name) {
        const Value* value = pipeline.source_options.find(name);
        return value ? value->text : std::string();
    };
    if (seen.outcome == "skipped") {
        return refused && option("unmatched") == "fail" ? "failed" : "left";
    }
    if (seen.outcome == "dead") return "failed";
    if (seen.outcome != "done") return "";
    if (option("done") == "delete") return "deleted";
    return option("done") == "leave" ? "left" : "done";
}

Json bindings_of(const Surroundings& around, const Event& event, const Observed& seen) {
    Json job{{"id", event.id}, {"pipeline", event.source}, {"attempt", seen.attempts}};
    job["error"] = seen.outcome == "dead" ? Json(text_in(seen.error, "message")) : Json(nullptr);
    Json steps = Json::object();
    for (const Deed& deed : seen.record->deeds()) steps[deed.step] = deed.outputs;
    for (const auto& [step, rounds] : seen.record->controls()) steps[step] = rounds.outputs;
    return make_bindings(around, event, std::move(job), std::move(steps), seen.record->body());
}

/// Runs and ends a loop of its own.
Result<void> play(const Given& given, Surroundings& around, ManualClock& clock, const Cast& cast,
                  Observed& seen) {
    MUSHER_TRY(std::shared_ptr<const Program> program, Program::compile(cast.config(), 1));
    Trial trial(around.loop, given, around, std::move(program));
    TimeLapse lapse(
        around.loop, clock, kTrialPatience, [&trial] { trial.look(); }, [&trial] { trial.tire(); });
    around.loop.run(trial.run(seen));
    return {};
}

Task<void> close_pool(Pool& pool) { co_await pool.close(); }
}  // namespace

Result<Observed> run_trial(const PipelineConfig& pipeline, const DaemonConfig& daemon,
                           const TestCase& test, const std::string& folder) {
    MUSHER_TRY(const Given given, given_event(pipeline, test, folder, daemon.timezone));
    Observed seen;
    ManualClock clock;
    clock.set_wall(given.at_ms);
    Loop loop(clock);
    Result<void> played;
    {
        Pool pool(loop);
        const Connections none;  // whoever asked for one would not be simulated
        Surroundings around(loop, none, pool);
        around.environment = daemon.environment;
        around.environment.update(test.environment);
        around.vars = daemon.vars;
        around.vars.update(test.vars);
        around.scratch_root = folder + "/scratch";
        around.timezone = daemon.timezone;
        const auto record = std::make_shared<Record>();
        Body body;
        body.path = given.event.file;
        body.size = size_in(given.event.facts, "size");
        record->saw(body);
        seen.record = record;
        around.on_control = [record](const std::string& step, const Json& outputs) {
            record->ended(step, outputs);
        };
        if (given.refusal.empty()) {
            const Cast cast(pipeline, test, record);
            played = play(given, around, clock, cast, seen);
        } else {
            seen.outcome = "skipped";
            seen.reason = given.refusal;
        }
        loop.run(close_pool(pool));
        seen.file = file_after(pipeline, seen, !given.refusal.empty());
        seen.bindings = bindings_of(around, given.event, seen);
    }
    MUSHER_CHECK(loop.close() == 0);
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
        std::filesystem::remove_all(entry.path(), ignored);
    }
    if (!played) return fail(std::move(played).error());
    return seen;
}

}  // namespace musher
