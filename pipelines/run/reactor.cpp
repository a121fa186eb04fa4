#include "pipelines/run/reactor.h"

#include <algorithm>
#include <filesystem>

#include "pipelines/queue/queue_server.h"
#include "pipelines/queue/state_lock.h"
#include "pipelines/run/emit.h"
#include "pipelines/run/pipeline.h"
#include "reactor/base/fd.h"
#include "reactor/base/log.h"
#include "reactor/base/text.h"
#include "reactor/loop/offload.h"

namespace musher {

namespace {
constexpr Duration kTick = std::chrono::seconds(15);
constexpr Duration kGrace = std::chrono::seconds(30);
}  // namespace

struct Reactor::State {
    State(Loop& the_loop, Configuration read)
        : loop(the_loop),
          configuration(std::move(read)),
          pool(the_loop),
          around(the_loop, configuration.daemon.connections, pool),
          tick(the_loop.timers()),
          scope("reactor", the_loop.ready(), the_loop.clock(), &the_loop.root()) {}

    Result<void> build_pipelines();
    Result<Pipeline*> find(const std::string& name) const;
    Task<Result<Pipeline*>> holder(std::string job, Cancel& cancel) const;
    void start_ticking();
    void on_wake(std::string_view queue);

    Loop& loop;
    Configuration configuration;
    Pool pool;
    Surroundings around;
    std::string started;
    QueueServer queue_server{loop, configuration.daemon};
    std::vector<std::unique_ptr<Pipeline>> pipelines;
    Timers::Alarm tick;
    Scope scope;
};

namespace {
/// Files of a folder that only this host sees make jobs that only this host may run.
bool local_jobs(const Program& program) {
    const PipelineConfig& config = program.config();
    return config.source->local_files && !program.source_options().flag("shared");
}

/// Scratch folders of a process that was killed; nobody else works in a locked state directory.
Result<void> sweep_scratch(const std::string& root) {
    std::error_code failed;
    std::filesystem::remove_all(root, failed);
    std::filesystem::create_directories(root, failed);
    if (failed) return fail(errno_error(failed.value(), "creating " + root));
    return {};
}
}  // namespace

Reactor::Reactor(Loop& loop, Configuration configuration)
    : state_(std::make_unique<State>(loop, std::move(configuration))) {}

Reactor::~Reactor() = default;

Result<void> Reactor::State::build_pipelines() {
    for (const PipelineConfig& config : configuration.pipelines) {
        MUSHER_TRY(std::shared_ptr<const Program> program, Program::compile(config, 1));
        QueueOptions options;
        options.waiting = static_cast<std::size_t>(config.limits.waiting);
        options.keep = configuration.daemon.history_keep;
        options.history = static_cast<std::size_t>(configuration.daemon.history_jobs);
        const std::string name =
            local_jobs(*program) ? config.name + "@" + around.node : config.name;
        auto queue = queue_server.queue(name, around.node, options);
        auto pipeline = std::make_unique<Pipeline>(around, std::move(program), std::move(queue),
                                                   &scope);
        MUSHER_DO(pipeline->build());
        pipelines.push_back(std::move(pipeline));
    }
    return {};
}

Result<Pipeline*> Reactor::State::find(const std::string& name) const {
    std::vector<std::string_view> names;
    for (const auto& pipeline : pipelines) {
        if (pipeline->name() == name) return pipeline.get();
        names.push_back(pipeline->name());
    }
    const std::optional<std::string_view> meant = nearest(name, names);
    return fail(Errc::not_found, "no pipeline is named '" + name + "'",
                meant ? "did you mean " + std::string(*meant) + "?" : "see musher status");
}

/// The pipeline whose queue knows the job.
Task<Result<Pipeline*>> Reactor::State::holder(std::string job, Cancel& cancel) const {
    const std::vector<std::string> ids{job};
    for (const auto& pipeline : pipelines) {
        MUSHER_CO_TRY(const std::vector<Presence> known,
                      co_await pipeline->queue().find(ids, cancel));
        if (known.front() != Presence::unknown) co_return pipeline.get();
    }
    co_return fail(Errc::not_found, "no queue knows the job " + job, "see musher jobs list");
}

void Reactor::State::start_ticking() {
    // One timer for all: idle pipelines share their wake-ups.
    tick.arm(kTick, [this] {
        for (const auto& pipeline : pipelines) pipeline->tick();
        start_ticking();
    });
}

void Reactor::State::on_wake(std::string_view queue) {
    for (const auto& pipeline : pipelines) {
        if (queue.empty() || pipeline->queue().name() == queue) pipeline->wake();
    }
}

Task<Result<void>> Reactor::run(Cancel& stop, std::function<void()> ready) {
    State& state = *state_;
    const DaemonConfig& daemon = state.configuration.daemon;
    state.started = format_time(state.loop.clock().wall_ms());
    state.around.environment = daemon.environment;
    state.around.vars = daemon.vars;
    state.around.timezone = daemon.timezone;
    state.around.scratch_root = daemon.state + "/scratch";
    MUSHER_CO_TRY(const StateLock lock, StateLock::take(daemon.state));
    MUSHER_CO_TRY(state.around.node, read_small_file(daemon.state + "/node", 100));
    while (!state.around.node.empty() && state.around.node.back() == '\n') {
        state.around.node.pop_back();
    }

    MUSHER_CO_DO(co_await state.queue_server.start(stop));
    auto sweep = [&state] { return sweep_scratch(state.around.scratch_root); };
    Result<void> built = co_await offload(state.loop, sweep);
    if (built) built = state.build_pipelines();
    if (built) {
        auto on_wake = [&state](std::string_view queue) { state.on_wake(queue); };
        state.queue_server.subscribe(on_wake);
        for (const auto& pipeline : state.pipelines) {
            state.scope.spawn(pipeline->name(), pipeline->run(stop, kGrace));
        }
        state.start_ticking();
        ready();
        co_await state.scope.join();
        state.tick.disarm();
    }
    state.pipelines.clear();
    co_await state.pool.close();
    co_await state.queue_server.stop();
    co_return built;
}

Task<Result<Json>> Reactor::status(Cancel& cancel) {
    Json rows = Json::array();
    bool reached = true;
    for (const auto& pipeline : state_->pipelines) {
        const Result<QueueStats> stats = co_await pipeline->queue().stats(cancel);
        reached = reached && stats.has_value();
        rows.push_back(pipeline->status(stats));
    }
    const DaemonConfig& config = daemon();
    co_return Json{{"version", MUSHER_VERSION},
                   {"node", config.node},
                   {"started", state_->started},
                   {"queue", {{"url", state_->queue_server.shown_url()}, {"ok", reached}}},
                   {"pipelines", std::move(rows)}};
}

std::vector<TaskRow> Reactor::tasks() const { return state_->loop.root().rows(); }

Task<Result<Json>> Reactor::why(std::string path, Cancel& cancel) {
    Why answer;
    Json pipeline;
    for (const auto& each : state_->pipelines) {
        answer = co_await each->source().why(path, cancel);
        if (answer.state.empty()) continue;
        pipeline = each->name();
        if (!answer.job.empty()) MUSHER_CO_DO(co_await each->explain(answer, cancel));
        break;
    }
    if (answer.state.empty()) {
        answer.state = "unknown";
        answer.reason = "unknown_folder";
        answer.detail = "no pipeline watches this folder";
    }
    co_return Json{{"path", escape_name(path)},
                   {"pipeline", pipeline},
                   {"state", answer.state},
                   {"reason", answer.reason},
                   {"since", answer.since_ms > 0 ? Json(format_time(answer.since_ms)) : Json()},
                   {"next_check_ms", answer.next_check_ms},
                   {"job", answer.job.empty() ? Json() : Json(answer.job)},
                   {"detail", answer.detail}};
}

Result<JobQueue*> Reactor::queue(const std::string& pipeline) {
    MUSHER_TRY(Pipeline * found, state_->find(pipeline));
    return &found->queue();
}

std::vector<JobQueue*> Reactor::queues() {
    std::vector<JobQueue*> all;
    for (const auto& pipeline : state_->pipelines) all.push_back(&pipeline->queue());
    return all;
}

Task<Result<void>> Reactor::set_paused(std::string pipeline, bool paused, Cancel& cancel) {
    MUSHER_CO_TRY(Pipeline * found, state_->find(pipeline));
    MUSHER_CO_DO(co_await found->queue().set_paused(paused, cancel));
    found->follow_pause(paused);
    co_return Result<void>();
}

Task<Result<Json>> Reactor::emit(std::string pipeline, std::string file, Json facts, bool dry_run,
                                 Cancel& cancel) {
    MUSHER_CO_TRY(Pipeline * found, state_->find(pipeline));
    MUSHER_CO_TRY(Event event, co_await hand_made_event(state_->loop, file, std::move(facts)));
    if (dry_run) co_return rehearse(state_->around, *found, std::move(event));
    co_return co_await admit_by_hand(*found, std::move(event), cancel);
}

Task<Result<JobState>> Reactor::cancel_job(std::string id, Cancel& cancel) {
    MUSHER_CO_TRY(Pipeline * found, co_await state_->holder(id, cancel));
    MUSHER_CO_TRY(const JobState now, co_await found->queue().cancel_job(id, cancel));
    // kill -9 before the settlement: recovery at the next start finds the id among the dead.
    if (now == JobState::cancelled) MUSHER_CO_DO(co_await found->settle_ended(id, cancel));
    co_return now;
}

Task<Result<void>> Reactor::replay_job(std::string id, Cancel& cancel) {
    MUSHER_CO_TRY(Pipeline * found, co_await state_->holder(id, cancel));
    MUSHER_CO_TRY(const JobRow row, co_await found->queue().show(id, cancel));
    if (row.state != JobState::dead && row.state != JobState::cancelled) {
        co_return fail(Errc::conflict,
                       "job " + id + " is " + std::string(state_name(row.state)) + ", not dead");
    }
    // The original first. kill -9 in between: recovery finds the id dead and puts it away again.
    MUSHER_CO_DO(co_await found->source().recall(row.job.event, cancel));
    Result<void> replayed = co_await found->queue().replay(id, cancel);
    if (!replayed) {
        const Result<void> back = co_await found->settle_ended(id, cancel);
        static_cast<void>(back);  // the first error is the one to tell
        co_return replayed;
    }
    found->wake();
    co_return replayed;
}

Task<Result<void>> Reactor::hasten_job(std::string id, Cancel& cancel) {
    MUSHER_CO_TRY(Pipeline * found, co_await state_->holder(id, cancel));
    MUSHER_CO_DO(co_await found->queue().hasten(id, cancel));
    found->wake();
    co_return Result<void>();
}

std::vector<std::string> Reactor::unhealthy() const {
    std::vector<std::string> reasons;
    for (const auto& pipeline : state_->pipelines) {
        const std::string problem = pipeline->problem();
        if (!problem.empty()) reasons.push_back(pipeline->name() + ": " + problem);
    }
    return reasons;
}

const DaemonConfig& Reactor::daemon() const { return state_->configuration.daemon; }

const std::vector<PipelineConfig>& Reactor::pipelines() const {
    return state_->configuration.pipelines;
}

}  // namespace musher
