// What people ask of a Reactor and order by hand.
#include <fmt/format.h>

#include "pipelines/config/problems.h"
#include "pipelines/run/emit.h"
#include "pipelines/run/reactor_state.h"
#include "pipelines/run/release.h"
#include "pipelines/run/settlement.h"
#include "reactor/base/text.h"

namespace musher {

namespace {
/// A row of `status` that was asked for while no reactor runs.
void tell_of_absence(Json& row) {
    constexpr const char* kAbsent = "no musher runs on this state directory";
    row["source"]["ok"] = false;
    row["source"]["detail"] = kAbsent;
    if (row["problem"].is_null()) row["problem"] = kAbsent;
}

/// Lives as long as somebody asks it something.
std::shared_ptr<JobQueue> queue_of(const std::shared_ptr<Pipeline>& pipeline) {
    return std::shared_ptr<JobQueue>(pipeline, &pipeline->queue());
}
std::shared_ptr<JobQueue> queue_of(const Orphan& orphan) { return orphan.queue; }

Task<Result<void>> settle_all(std::shared_ptr<Source> source, std::vector<Settlement> ended,
                              Cancel& cancel) {
    co_return co_await source->settle(ended, cancel);
}
}  // namespace

Task<Result<Json>> Reactor::status(Cancel& cancel) {
    Json rows = Json::array();
    bool reached = true;
    const std::vector<std::shared_ptr<Pipeline>> pipelines = state_->pipelines.all();
    std::map<std::string, Problem> refused = state_->refused;
    std::vector<NamedQueue> queues;
    for (const auto& one : pipelines) queues.push_back(NamedQueue{one->name(), queue_of(one)});
    const QueueCounts::All counts = co_await state_->counts.ask(std::move(queues), cancel);
    for (const auto& pipeline : pipelines) {
        const Result<QueueStats>& stats = counts.at(pipeline->name());
        reached = reached && stats.has_value();
        rows.push_back(pipeline->status(stats ? *stats : state_->counts.known(pipeline->name())));
        if (!stats) {
            const QueueServer& server = state_->server_of(pipeline->config());
            rows.back()["problem"] = server.cause_of(stats.error()).text();
        }
        if (state_->started.empty()) tell_of_absence(rows.back());
        const auto edit = refused.find(pipeline->newest().config().shown);
        if (edit == refused.end()) continue;
        rows.back()["state"] = "broken";
        rows.back()["problem"] = problem_line(edit->second);
        refused.erase(edit);
    }
    for (const auto& [file, problem] : refused) {
        if (file != daemon().shown) rows.push_back(state_->broken_row(problem));
    }
    if (reached) {
        const Result<std::vector<Orphan*>> orphans = co_await state_->find_orphans(cancel);
        reached = orphans.has_value();  // it may have gone since
        if (orphans) {
            for (const Orphan* one : *orphans) rows.push_back(orphan_row(*one));
        }
    }
    const DaemonConfig& config = daemon();
    const auto own = state_->refused.find(config.shown);
    std::set<std::string> waiting = state_->unapplied;
    for (const auto& [setting, why] : state_->failed) waiting.insert(setting);
    const Json started = state_->started.empty() ? Json() : Json(state_->started);
    co_return Json{
        {"version", MUSHER_VERSION},
        {"node", config.node},
        {"started", started},
        {"queue", {{"url", state_->queue_server.shown_url()}, {"ok", reached}}},
        {"restart_needed", waiting},
        {"problem", own == state_->refused.end() ? Json() : Json(problem_line(own->second))},
        {"pipelines", std::move(rows)}};
}

std::vector<TaskRow> Reactor::tasks() const { return state_->loop.root().rows(); }

Task<Result<Json>> Reactor::why(std::string path, Cancel& cancel) {
    Why answer;
    Json pipeline;
    const std::vector<std::shared_ptr<Pipeline>> pipelines = state_->pipelines.all();
    for (const auto& each : pipelines) {
        const std::shared_ptr<Source> source = each->source();
        answer = co_await source->why(path, cancel);
        if (answer.state.empty()) continue;
        pipeline = each->name();
        if (answer.job.empty()) break;
        const Result<void> explained = co_await each->explain(answer, cancel);
        if (!explained)
            co_return fail(state_->server_of(each->config()).cause_of(explained.error()));
        break;
    }
    if (answer.state.empty()) {
        answer.state = "unknown";
        answer.reason = "unknown_folder";
        answer.detail = "no pipeline watches this folder";
    }
    Json told{{"path", escape_name(path)},
              {"pipeline", pipeline},
              {"state", answer.state},
              {"reason", answer.reason},
              {"since", answer.since_ms > 0 ? Json(format_time(answer.since_ms)) : Json()},
              {"next_check_ms", answer.next_check_ms},
              {"job", answer.job.empty() ? Json() : Json(answer.job)},
              {"detail", answer.detail}};
    if (!is_utf8(path)) told["name_escaped"] = true;
    co_return told;
}

Task<Result<std::vector<NamedQueue>>> Reactor::queues(std::string pipeline, Cancel& cancel) {
    std::vector<NamedQueue> found;
    if (!pipeline.empty()) {
        const Result<std::shared_ptr<Pipeline>> one = state_->find(pipeline);
        if (one) {
            found.push_back(NamedQueue{pipeline, queue_of(*one)});
            co_return found;
        }
        MUSHER_CO_TRY(const Orphan* orphan,
                      co_await state_->orphan_named(pipeline, one.error(), cancel));
        found.push_back(NamedQueue{pipeline, queue_of(*orphan)});
        co_return found;
    }
    for (const auto& one : state_->pipelines.all()) {
        found.push_back(NamedQueue{one->name(), queue_of(one)});
    }
    MUSHER_CO_TRY(const std::vector<Orphan*> orphans, co_await state_->find_orphans(cancel));
    for (const Orphan* one : orphans) found.push_back(NamedQueue{one->name, queue_of(*one)});
    co_return found;
}

Task<Result<Json>> Reactor::job(std::string id, Cancel& cancel) {
    const Result<std::shared_ptr<Pipeline>> found = co_await state_->holder(id, cancel);
    if (found) {
        MUSHER_CO_TRY(const JobRow row, co_await (*found)->queue().show(std::move(id), cancel));
        Json shown = row.to_json(true);
        if (row.ended_ms == 0 || row.job.event.file.empty()) co_return shown;
        Settlement ended = settlement_of(row);
        // What runs on_failure works with the original of the job that died.
        if (row.job.on_failure) ended.outcome = Outcome::dead;
        const std::shared_ptr<Source> source = (*found)->source();
        const std::string path =
            co_await source->whereabouts(std::move(ended.event), ended.outcome);
        shown["body"]["path"] = path.empty() ? Json() : Json(escape_name(path));
        co_return shown;
    }
    MUSHER_CO_TRY(const Orphan* orphan, co_await state_->orphan_with(id, found.error(), cancel));
    MUSHER_CO_TRY(const JobRow row, co_await orphan->queue->show(std::move(id), cancel));
    co_return row.to_json(true);
}

Task<Result<void>> Reactor::set_paused(std::string pipeline, bool paused, Cancel& cancel) {
    const Result<std::shared_ptr<Pipeline>> found = state_->find(pipeline);
    if (!found) {
        MUSHER_CO_TRY(const Orphan* orphan,
                      co_await state_->orphan_named(pipeline, found.error(), cancel));
        co_return co_await orphan->queue->set_paused(paused, cancel);
    }
    MUSHER_CO_DO(co_await (*found)->queue().set_paused(paused, cancel));
    (*found)->follow_pause(paused);
    co_return Result<void>();
}

Task<Result<Json>> Reactor::emit(std::string pipeline, std::string file, Json facts, bool dry_run,
                                 Cancel& cancel) {
    MUSHER_CO_TRY(const std::shared_ptr<Pipeline> found, state_->find(pipeline));
    MUSHER_CO_TRY(Event event, co_await hand_made_event(state_->loop, file, std::move(facts)));
    if (dry_run) {
        co_return rehearse(state_->around, found->intake(), found->program(), std::move(event));
    }
    co_return co_await admit_by_hand(*found, std::move(event), cancel);
}

Task<Result<JobState>> Reactor::cancel_job(std::string id, Cancel& cancel) {
    const Result<std::shared_ptr<Pipeline>> holder = co_await state_->holder(id, cancel);
    if (!holder) {
        MUSHER_CO_TRY(const Orphan* orphan,
                      co_await state_->orphan_with(id, holder.error(), cancel));
        // Its original waits in its claim for a source that knows where failed/ is.
        MUSHER_CO_TRY(const JobState now,
                      co_await orphan->queue->cancel_job(std::move(id), cancel));
        state_->look_for_orphans();
        co_return now;
    }
    const std::shared_ptr<Pipeline>& found = *holder;
    MUSHER_CO_TRY(const JobState now, co_await found->queue().cancel_job(id, cancel));
    // kill -9 before the settlement: recovery at the next start finds the id among the dead.
    if (now != JobState::cancelled) co_return now;
    Cancel never;
    const Result<JobRow> row = co_await found->queue().show(id, never);
    if (row) found->tally().ended(row->job, row->attempt, now, "", "cancelled on request");
    MUSHER_CO_DO(co_await found->settle_ended(id, cancel));
    co_return now;
}

Task<Result<void>> Reactor::replay_job(std::string id, Cancel& cancel) {
    const Result<std::shared_ptr<Pipeline>> holder = co_await state_->holder(id, cancel);
    if (!holder) {
        MUSHER_CO_TRY(const Orphan* orphan,
                      co_await state_->orphan_with(id, holder.error(), cancel));
        co_return fail(
            Errc::conflict,
            "nothing would run job " + id + ": the file of pipeline " + orphan->name + " is gone",
            "put it back, then replay the job");
    }
    const std::shared_ptr<Pipeline>& found = *holder;
    MUSHER_CO_TRY(const JobRow row, co_await found->queue().show(id, cancel));
    if (row.state != JobState::dead && row.state != JobState::cancelled) {
        co_return fail(Errc::conflict,
                       "job " + id + " is " + std::string(state_name(row.state)) + ", not dead");
    }
    MUSHER_CO_DO(co_await found->until_put_away(id, cancel));
    // The original first. kill -9 in between: recovery finds the id dead and puts it away again.
    const std::shared_ptr<Source> source = found->source();
    MUSHER_CO_DO(co_await source->recall(row.job.event, cancel));
    Result<void> replayed = co_await found->queue().replay(id, cancel);
    if (!replayed) {
        Cancel never;
        const Result<void> back = co_await found->settle_ended(id, never);
        static_cast<void>(back);  // the first error is the one to tell
        co_return replayed;
    }
    found->tally().replayed(row.job);
    found->wake();
    co_return replayed;
}

Task<Result<void>> Reactor::hasten_job(std::string id, Cancel& cancel) {
    const Result<std::shared_ptr<Pipeline>> found = co_await state_->holder(id, cancel);
    if (!found) {
        MUSHER_CO_TRY(const Orphan* orphan,
                      co_await state_->orphan_with(id, found.error(), cancel));
        co_return co_await orphan->queue->hasten(std::move(id), cancel);
    }
    MUSHER_CO_DO(co_await (*found)->queue().hasten(id, cancel));
    (*found)->wake();
    co_return Result<void>();
}

Task<Result<Json>> Reactor::release(std::string pipeline, Cancel& cancel) {
    const Result<std::shared_ptr<Pipeline>> found = state_->find(pipeline);
    if (!found) {
        MUSHER_CO_TRY(Json told, co_await state_->release_orphan(pipeline, found.error(), cancel));
        state_->look_for_orphans();
        co_return told;
    }
    JobQueue& queue = (*found)->queue();
    MUSHER_CO_TRY(const QueueStats stats, co_await queue.stats(cancel));
    if (!stats.paused) {
        co_return fail(
            Errc::conflict, "pipeline " + pipeline + " is not paused",
            "pause it first, or its source takes the files again: musher jobs pause " + pipeline);
    }
    const std::shared_ptr<Source> source = (*found)->source();
    const PutBack put_back = [source, &cancel](std::vector<Settlement> released) {
        return settle_all(source, std::move(released), cancel);
    };
    MUSHER_CO_TRY(const Released told, co_await release_waiting(queue, put_back, cancel));
    co_return to_json(pipeline, told);
}

const DaemonConfig& Reactor::daemon() const { return state_->configuration.daemon; }

std::size_t Reactor::pipelines() const { return state_->pipelines.all().size(); }

}  // namespace musher
