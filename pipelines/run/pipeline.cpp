#include "pipelines/run/pipeline.h"

#include <fmt/format.h>

#include "pipelines/run/edits.h"
#include "pipelines/run/pipeline_row.h"
#include "pipelines/run/release.h"
#include "pipelines/run/settlement.h"
#include "reactor/base/backoff.h"
#include "reactor/base/log.h"

namespace musher {

namespace {
constexpr Duration kGiveBack = std::chrono::seconds(5);  // like the last acks
constexpr Duration kGoodbye = std::chrono::seconds(1);
}  // namespace

Task<Result<std::vector<Presence>>> QueueLedger::find(std::vector<std::string> ids,
                                                      Cancel& cancel) {
    co_return co_await find_originals(queue_, std::move(ids), cancel);
}

Task<Result<Settlement>> QueueLedger::settlement(std::string id, Cancel& cancel) {
    MUSHER_CO_TRY(JobRow row, co_await queue_.show(id, cancel));
    co_return settlement_of(std::move(row));
}

Pipeline::Pipeline(const Surroundings& around, std::shared_ptr<const Program> program,
                   std::unique_ptr<JobQueue> queue, Tally& tally, Scope* parent)
    : around_(around),
      program_(std::move(program)),
      queue_(std::move(queue)),
      tally_(tally),
      ledger_(*queue_),
      intake_(around, program_, *queue_, tally,
              Intake::Listener{[this] { dispatcher_.wake(); }, [this] { steer_source(); }}),
      dispatcher_(around, program_, *queue_, tally, parent,
                  [this](std::vector<Settlement> batch) { settled(std::move(batch)); }),
      scope_(program_->config().name, around.loop.ready(), around.loop.clock(), parent),
      settler_(around.loop, program_, source_, *queue_,
               [this](std::size_t count) { dispatcher_.settled_done(count); }) {}

Pipeline::~Pipeline() = default;

Result<std::shared_ptr<Source>> Pipeline::make_source(std::shared_ptr<const Program> program) {
    struct Kept {
        std::shared_ptr<const Program> program;
        SourceContext context;
        std::unique_ptr<Source> source;
    };
    const PipelineConfig& config = program->config();
    SourceContext context{around_.loop,      name(),        config.folder,
                          intake_.channel(), ledger_,       config.connections,
                          around_.node,      around_.state, around_.timezone};
    const std::shared_ptr<Kept> kept(new Kept{std::move(program), std::move(context), nullptr});
    MUSHER_TRY(kept->source, config.source->make(kept->program->source_options(), kept->context));
    return std::shared_ptr<Source>(kept, kept->source.get());
}

Result<void> Pipeline::build() {
    MUSHER_TRY(source_, make_source(program_));
    return {};
}

Result<void> Pipeline::adopt(std::shared_ptr<const Program> next) {
    const PipelineConfig& after = next->config();
    if (next_ || !same_source(config(), after)) {
        MUSHER_TRY(std::shared_ptr<Source> source, make_source(next));
        next_ = Change{std::move(next), std::move(source)};
        if (source_over_) source_over_->request(Errc::cancelled, "its options were edited");
    } else {
        program_ = std::move(next);
    }
    intake_.limit(after.limits.waiting);
    dispatcher_.edited();
    return {};
}

Task<void> Pipeline::run(Cancel& stop, Duration grace) {
    stop_ = &stop;
    const Result<void> opened = co_await open_queue(stop);
    if (opened) {
        Scope inflow("inflow", around_.loop.ready(), around_.loop.clock(), &scope_);
        inflow.spawn("source", run_source(stop));
        inflow.spawn("intake", intake_.run(stop));
        Scope outflow("outflow", around_.loop.ready(), around_.loop.clock(), &scope_);
        outflow.spawn("settlements", settler_.run(stop));
        co_await dispatcher_.run(stop, grace);
        co_await inflow.join();
        settler_.end();
        co_await outflow.join();
        if (config().direct) co_await give_back();
        if (retired_) co_await say_goodbye();
    }
    co_await scope_.join();
    co_await queue_->close();
    stop_ = nullptr;
}

/// Waits for a server that does not answer, or that does not fit: it may be mended meanwhile.
Task<Result<void>> Pipeline::open_queue(Cancel& stop) {
    Backoff backoff(milliseconds(100), std::chrono::seconds(5));
    for (;;) {
        Result<void> opened = co_await queue_->open(stop);
        if (opened) {
            queue_trouble_.clear();
            if (queue_->forgetful()) {
                log::warning("queue.forgetful",
                             Json{{"pipeline", name()},
                                  {"reason", "redis loses jobs at a restart: appendonly is no"},
                                  {"hint", "set appendonly yes on the Redis server"}});
            }
            co_return opened;
        }
        if (stop.requested()) co_return opened;
        if (queue_trouble_.empty()) {
            log::error("queue.not_open",
                       Json{{"pipeline", name()}, {"reason", opened.error().text()}});
        }
        queue_trouble_ = opened.error().text();
        const Result<void> slept = co_await around_.loop.timers().sleep(backoff.next(), stop);
        if (!slept) co_return slept;
    }
}

Task<void> Pipeline::run_source(Cancel& stop) {
    Backoff backoff(std::chrono::seconds(1), std::chrono::minutes(1));
    while (!stop.requested()) {
        if (next_) {
            const Result<void> changed = co_await change_source(stop);
            if (!changed) break;
            backoff.reset();
        }
        Cancel over(stop);
        source_over_ = &over;
        const std::shared_ptr<Source> source = source_;
        const Result<void> ended = co_await source->run(over);
        if (!over.requested()) {
            // A source heals itself; one that returns has found something it cannot work with.
            source_trouble_ = ended ? "the source ended by itself" : ended.error().text();
            log::error("source.ended", Json{{"pipeline", name()}, {"reason", source_trouble_}});
            const Result<void> slept = co_await around_.loop.timers().sleep(backoff.next(), over);
            static_cast<void>(slept);  // edited, stopped or rested: the loop looks
            source_trouble_.clear();
        }
        source_over_ = nullptr;
    }
    intake_.channel().close();
}

/// kill -9 anywhere: the next start has the new source alone, and what the old one had claimed and
/// not put back waits in its folder for a source of that folder.
Task<Result<void>> Pipeline::change_source(Cancel& stop) {
    MUSHER_CO_DO(co_await intake_.answered(stop));
    co_await retire_source(stop);
    program_ = std::move(next_->program);
    source_ = std::move(next_->source);
    next_.reset();
    steer_source();
    co_return Result<void>();
}

Task<void> Pipeline::retire_source(Cancel& cancel) {
    const Result<void> retired = co_await source_->retire(cancel);
    if (retired) co_return;
    log::warning("source.not_retired",
                 Json{{"pipeline", name()},
                      {"reason", retired.error().text()},
                      {"hint", "what it had taken is found when it is configured again"}});
}

/// Its queue ends with the process. What the source cannot be told now it finds at its next start.
Task<void> Pipeline::give_back() {
    Cancel enough;
    const Deadline deadline(around_.loop.timers(), enough, kGiveBack);
    const Result<void> done = co_await give_back_waiting(*queue_, *source_, enough);
    if (done) co_return;
    log::warning("source.not_given_back", Json{{"pipeline", name()},
                                               {"reason", done.error().text()},
                                               {"hint", "it is found at the next start"}});
}

Task<void> Pipeline::say_goodbye() {
    Cancel never;
    co_await retire_source(never);
    Cancel enough;
    const Deadline deadline(around_.loop.timers(), enough, kGoodbye);
    co_await queue_->leave(enough);
}

void Pipeline::settled(std::vector<Settlement> batch) {
    intake_.room();
    settler_.add(std::move(batch));
}

Task<Result<void>> Pipeline::settle_ended(std::string id, Cancel& cancel) {
    co_return co_await settler_.settle_now(std::move(id), cancel);
}

Task<Result<void>> Pipeline::until_put_away(std::string id, Cancel& cancel) {
    while (dispatcher_.has(id) || settler_.has(id)) {
        MUSHER_CO_DO(co_await dispatcher_.ends().wait(cancel));
    }
    co_return Result<void>();
}

void Pipeline::recheck() {
    dispatcher_.wake();
    obey();
    source_->recheck();
}

void Pipeline::obey() {
    dispatcher_.beat();
    ask_for_pause();
}

void Pipeline::tick() {
    dispatcher_.tick();
    ask_for_pause();
}

void Pipeline::ask_for_pause() {
    pause_unread_ = true;
    if (reading_pause_ || !stop_) return;
    reading_pause_ = true;
    scope_.spawn("read_pause", read_pause(*stop_));
}

Task<void> Pipeline::read_pause(Cancel& stop) {
    while (std::exchange(pause_unread_, false)) {
        const Result<QueueStats> stats = co_await queue_->stats(stop);
        // An order that came meanwhile may be newer than this answer.
        if (stats && !pause_unread_) follow_pause(stats->paused);
    }
    reading_pause_ = false;
}

void Pipeline::follow_pause(bool paused) {
    if (paused == paused_) return;
    paused_ = paused;
    tally_.paused(paused);
    steer_source();
    if (!paused) dispatcher_.wake();
}

void Pipeline::steer_source() {
    if (paused_) {
        source_->pause(PauseReason::ordered);
    } else if (intake_.queue_full()) {
        source_->pause(PauseReason::queue_full);
    } else {
        source_->resume();
    }
}

std::string Pipeline::problem() const {
    if (!queue_trouble_.empty()) return queue_trouble_;
    if (!source_trouble_.empty()) return source_trouble_;
    if (next_ && intake_.queue_full()) {
        return "an edit of the source waits until what it has sent is in the queue, which is full";
    }
    if (!settler_.trouble().empty()) return settler_.trouble();
    if (!dispatcher_.trouble().empty()) return dispatcher_.trouble();
    if (!intake_.trouble().empty()) return intake_.trouble();
    if (dispatcher_.hold().active()) {
        return dispatcher_.hold().sink() + " is held: " + dispatcher_.hold().reason();
    }
    const Json source = source_->status();
    if (!source.value("ok", true)) return source.value("detail", "the source is not well");
    return "";
}

Json Pipeline::status(QueueStats counts) const {
    const Hold& hold = dispatcher_.hold();
    const auto unstarted = std::min<std::uint64_t>(dispatcher_.prefetched(), counts.running);
    counts.running -= unstarted;
    counts.waiting += unstarted;
    Json source = source_->status();
    source["kind"] = config().source_kind;
    std::string state = "running";
    if (paused_ || counts.paused) state = "paused";
    if (hold.active()) state = "held";
    Json row = pipeline_row(name(), state, std::move(source), counts, problem());
    row["revision"] = program_->revision();
    if (hold.active()) {
        row["held"] = Json{{"sink", hold.sink()},
                           {"reason", hold.reason()},
                           {"since", format_time(hold.since_ms())}};
    }
    return row;
}

Task<Result<void>> Pipeline::explain(Why& answer, Cancel& cancel) {
    const Result<JobRow> row = co_await queue_->show(answer.job, cancel);
    if (!row && row.error().code != Errc::not_found) co_return fail(row.error());
    if (!row && answer.reason == "done") {
        answer.detail = "its job is not kept any more, or `dedupe` knew one of its value";
        co_return Result<void>();
    }
    if (!row) {
        // Claimed, and on its way into a queue that is full or away.
        answer.reason = "queue_full";
        answer.detail = intake_.trouble();
        co_return Result<void>();
    }
    const std::int64_t now = around_.loop.clock().wall_ms();
    answer.since_ms = row->job.created_ms;
    answer.reason = "running";
    switch (row->state) {
        case JobState::running:
            answer.detail = fmt::format("attempt {}", row->attempt);
            break;
        case JobState::delayed:
            answer.reason = "retrying";
            answer.next_check_ms = std::max<std::int64_t>(row->due_ms - now, 0);
            if (row->error.is_object()) answer.detail = row->error.value("message", "");
            break;
        case JobState::waiting:
            if (paused_) {
                answer.reason = "paused";
            } else if (dispatcher_.hold().active()) {
                answer.reason = "held";
                answer.detail = dispatcher_.hold().reason();
            } else if (!row->job.key.empty()) {
                answer.reason = "key_busy";
                answer.detail = "waits for earlier jobs of the key '" + row->job.key + "'";
            } else {
                answer.detail = "waits for one of limits.parallel slots";
            }
            break;
        case JobState::done:
            answer.state = answer.reason = "done";
            break;
        default:
            answer.state = answer.reason = "dead";
            if (!config().on_failure.empty()) {
                answer.detail = "its original goes to failed/ when on_failure has ended";
            }
    }
    co_return Result<void>();
}

}  // namespace musher
