// How a dispatcher's jobs end: done, retried, dead, cancelled, released.
#include <fmt/format.h>

#include <algorithm>

#include "pipelines/queue/job_records.h"
#include "pipelines/run/settlement.h"
#include "pipelines/run/slot.h"
#include "pipelines/run/story.h"
#include "reactor/base/backoff.h"
#include "reactor/base/limits.h"
#include "reactor/base/log.h"

namespace musher {

namespace {
// Its parent's end makes an alarm due; this is for ends that never come, or not here.
constexpr Duration kParentDelay = std::chrono::seconds(5);
constexpr std::size_t kMostBlamers = 1024;
}  // namespace

Task<void> Dispatcher::run_job(Slots::iterator slot) {
    // The revision of now, kept until the attempt ends.
    const std::shared_ptr<const Program> program = program_;
    const Instant began = around_.loop.clock().now();
    RunReport report = co_await attempt(*slot, *program);
    --running_;
    tally_.ran(around_.loop.clock().now() - began);
    if (slot->stolen) {
        log::warning("job.stolen", Json{{"job", slot->claim.job.id}});
    } else if (report.outcome) {
        sinks_passed(slot->claim.job.id, report);
        finish(*slot, std::move(report));
    } else {
        sinks_passed(slot->claim.job.id, report);
        co_await defeat(*slot, std::move(report), *program);
    }
    slots_.erase(slot);
    ends_.wake_all();
    finished_.push_back(around_.loop.clock().now());
    if (finished_.size() > 2 * limits::kQueueBatch) finished_.pop_front();
    changed();
}

Task<RunReport> Dispatcher::attempt(Slot& slot, const Program& program) {
    const Deadline deadline(around_.loop.timers(), slot.cancel, program.config().limits.timeout);
    if (slot.claim.stalls > limits::kStalls) {
        RunReport report;
        report.outcome = fail(Errc::poison,
                              "the reactor that ran this job went silent " +
                                  std::to_string(slot.claim.stalls) + " times",
                              "find out why in its log, then replay the job");
        co_return report;
    }
    if (slot.claim.job.on_failure) {
        // The parent's last attempt enqueued us before it was buried; a crash in between let it
        // live on.
        const Result<Presence> parent = co_await parent_of(slot);
        RunReport report;
        if (!parent) {
            report.outcome = fail(parent.error());
            report.too_early = is_unanswered(parent.error());
        } else if (*parent == Presence::live) {
            report.outcome = fail(Errc::conflict, "the failed job still has tries left");
            report.too_early = true;
        }
        if (!report.outcome || *parent == Presence::done) co_return report;
    }
    const Stop stop{leave_, jobs_};
    JobRunner runner(around_, program, queue_, slot.claim, slot.cancel, stop, slot.progress);
    co_return co_await runner.run();
}

/// Asks until the queue answers: that it is away is no fault of the alarm's.
Task<Result<Presence>> Dispatcher::parent_of(Slot& slot) {
    const std::vector<std::string> parent{slot.claim.job.failed.value("job", "")};
    for (int tries = 0;; ++tries) {
        const Result<std::vector<Presence>> known = co_await queue_.find(parent, slot.cancel);
        if (known) co_return known->front();
        if (slot.cancel.requested()) co_return fail(known.error());
        const bool once_more = co_await again(tries, known.error());
        if (!once_more) co_return fail(known.error());
    }
}

void Dispatcher::finish(Slot& slot, RunReport report) {
    blamers_.erase(slot.claim.job.id);
    Claim& claim = slot.claim;
    if (log::enabled(log::Level::info)) {
        log::info("job.done", Json{{"pipeline", claim.job.pipeline},
                                   {"job", claim.job.id},
                                   {"attempt", claim.attempt}});
    }
    Story::close(around_, claim, "DONE");
    acks_.push_back(Ack{claim.job.id, claim.token, std::move(report.story)});
    Ended& ended = ended_.emplace_back();
    ended.told.event = std::move(claim.job.event);
    ended.attempt = claim.attempt;
}

Defeat Dispatcher::defeat_of(const Slot& slot, const RunReport& report, const Program& program) {
    const Error& error = report.outcome.error();
    const LimitsConfig& limit = program.config().limits;
    Defeat end;
    end.id = slot.claim.job.id;
    end.token = slot.claim.token;
    end.error = error;
    end.story = report.story;
    end.step = report.failed_step;
    end.retry = info(error.code).retryable && !slot.cancelled;
    end.state = slot.cancelled ? JobState::cancelled : JobState::dead;
    Duration delay = backoff_delay(limit.backoff_from, limit.backoff_to, slot.claim.attempt);
    end.delay = std::max(std::chrono::duration_cast<milliseconds>(delay), error.retry_after);
    const std::string& sink = report.broken_sink;
    if (sink.empty() || slot.cancelled) return end;
    const Guilt guilt = guilt_of(end.id, sink, error);
    if (guilt == Guilt::item) return end;
    end.retry = true;
    end.spends_try = false;
    if (guilt == Guilt::sink) {
        const bool held = hold_.active();
        hold_.fault(sink, error);
        if (!held) tally_.held(sink, error.text());
        end.story.back()["what"] = "held";
        end.delay = std::chrono::duration_cast<milliseconds>(hold_.pause());
    } else {
        delay = backoff_delay(limit.backoff_from, limit.backoff_to, blamers_[end.id][sink].times);
        end.delay = std::max(std::chrono::duration_cast<milliseconds>(delay), error.retry_after);
    }
    return end;
}

Task<void> Dispatcher::defeat(Slot& slot, RunReport report, const Program& program) {
    const Job& job = slot.claim.job;
    const Error& error = report.outcome.error();
    if (!slot.cancelled && (report.left || jobs_.requested())) {
        co_await release(slot);
        co_return;
    }
    if (report.too_early && !slot.cancelled) {
        co_await release(slot, kParentDelay);
        co_return;
    }
    const Defeat end = defeat_of(slot, report, program);
    const bool tries_left = slot.claim.attempt - slot.claim.stalls < job.max_attempts;
    const bool last = !end.retry || (end.spends_try && !tries_left);
    for (int tries = 0;; ++tries) {
        Result<void> raised;
        if (last && end.state == JobState::dead) {
            raised = co_await raise_on_failure(job, error, program);
        }
        Cancel never;
        Result<bool> goes_on = tl::unexpected(Error());
        if (raised) goes_on = co_await queue_.fail(end, never);
        if (goes_on) {
            if (*goes_on) {
                tally_.delayed(slot.claim, end.spends_try, report.failed_step, error);
                next_due_ = std::min(next_due_, around_.loop.clock().now() + end.delay);
            }
            if (!*goes_on) {
                blamers_.erase(end.id);
                std::vector<std::string> alarm{on_failure_id(end.id)};
                if (!program.config().on_failure.empty()) {
                    scope_.spawn("hasten", hasten(std::move(alarm)));
                }
                co_await settle_failed(slot, end, std::move(report.story));
            }
            if (*goes_on) {
                Story::close(around_, slot.claim,
                             fmt::format("tries again in {}", format_duration(end.delay)));
            } else {
                Story::close(around_, slot.claim, slot.cancelled ? "CANCELLED" : "GIVEN UP");
            }
            // The log says that the pipeline is held.
            if (!end.spends_try && hold_.active()) co_return;
            const char* what = slot.cancelled ? "job.cancelled" : "job.dead";
            if (*goes_on) what = "job.retry";
            log::warning(what, Json{{"pipeline", job.pipeline},
                                    {"job", end.id},
                                    {"attempt", slot.claim.attempt},
                                    {"step", report.failed_step},
                                    {"error", error.text()}});
            co_return;
        }
        const Error why = raised ? goes_on.error() : raised.error();
        const bool once_more = co_await again(tries, why);
        if (!once_more) co_return;
    }
}

Task<Result<void>> Dispatcher::raise_on_failure(const Job& job, const Error& error,
                                                const Program& program) {
    if (job.on_failure || program.config().on_failure.empty()) co_return Result<void>();
    Job alarm = job;
    alarm.id = on_failure_id(job.id);
    alarm.key.clear();
    alarm.dedupe.clear();
    alarm.on_failure = true;
    alarm.event.kind = "on_failure";  // no source sent it, so none puts its original away
    alarm.failed = Json{{"job", job.id}, {"error", to_json(error)}};
    alarm.created_ms = around_.loop.clock().wall_ms();
    alarm.due_ms =
        alarm.created_ms + std::chrono::duration_cast<milliseconds>(kParentDelay).count();
    std::vector<Job> one{alarm};
    Cancel never;
    // The same id every time: a second try, or a second death after a replay, adds nothing.
    const Result<std::vector<PutCode>> put = co_await queue_.put(std::move(one), never);
    if (!put) co_return fail(put.error());
    tally_.put(alarm, put->front());
    next_due_ = std::min(next_due_, around_.loop.clock().now() + kParentDelay);
    co_return Result<void>();
}

Task<void> Dispatcher::settle_failed(Slot& slot, const Defeat& end, Json story) {
    tally_.ended(slot.claim.job, slot.claim.attempt, end.state, end.step, end.error.text());
    std::vector<Settlement> batch;
    Cancel never;
    Result<JobRow> told = co_await queue_.show(end.id, never);
    if (told) {
        batch.push_back(settlement_of(std::move(*told)));
        settle(std::move(batch));
        co_return;
    }
    // The queue went away just now: its record of the earlier attempts is missing in the report.
    JobRow row;
    row.job = slot.claim.job;
    row.state = end.state;
    row.attempt = slot.claim.attempt;
    row.receipts = slot.claim.receipts;
    row.error = to_json(end.error);
    row.error["step"] = end.step;
    row.error["attempt"] = slot.claim.attempt;
    row.error["time"] = format_time(around_.loop.clock().wall_ms());
    row.story = read_story(story_line(story));
    batch.push_back(settlement_of(std::move(row)));
    settle(std::move(batch));
}

/// A job that finds fault with a sink which others went through meanwhile holds nobody up. It is at
/// fault itself (its rendered folder is a file, say), unless the sink had no room or no time for
/// it.
Dispatcher::Guilt Dispatcher::guilt_of(const std::string& job, const std::string& sink,
                                       const Error& error) {
    if (blamers_.size() >= kMostBlamers) blamers_.clear();
    Complaint& complaint = blamers_[job][sink];
    const bool first = ++complaint.times == 1;
    const bool passed = !first && passes_[sink] > complaint.since;
    const bool of_moment = is_unanswered(error);
    if (!passed || of_moment) complaint.since = around_.loop.clock().now();
    if (!passed) return Guilt::sink;
    return of_moment ? Guilt::moment : Guilt::item;
}

void Dispatcher::sinks_passed(const std::string& job, const RunReport& report) {
    for (const auto& [sink, at] : report.passed_sinks) {
        passes_[sink] = std::max(passes_[sink], at);
        const auto blamer = blamers_.find(job);
        if (blamer == blamers_.end()) continue;
        blamer->second.erase(sink);
        if (blamer->second.empty()) blamers_.erase(blamer);
    }
    if (!hold_.lift(report.passed_sinks)) return;
    tally_.recovered(hold_.sink());
    std::vector<std::string> ids;
    for (const auto& [id, at] : blamers_) ids.push_back(id);
    scope_.spawn("hasten", hasten(std::move(ids)));
}

/// Jobs that were put back for later while the sink was broken; one that is not there any more, or
/// a queue that is away, changes nothing: they come when they are due.
Task<void> Dispatcher::hasten(std::vector<std::string> ids) {
    for (const std::string& id : ids) {
        const Result<void> due = co_await queue_.hasten(id, jobs_);
        if (!due && due.error().code == Errc::unavailable) co_return;
    }
    wake();
}

Task<void> Dispatcher::release(Slot& slot, Duration delay) {
    Cancel never;
    const auto later = std::chrono::duration_cast<milliseconds>(delay);
    if (delay > Duration(0)) {
        next_due_ = std::min(next_due_, around_.loop.clock().now() + delay);
    }
    for (int tries = 0;; ++tries) {
        const Result<void> released =
            co_await queue_.release(slot.claim.job.id, slot.claim.token, later, never);
        if (released) tally_.released(slot.claim);
        if (released) co_return;
        const bool once_more = co_await again(tries, released.error());
        if (!once_more) co_return;
    }
}

Task<void> Dispatcher::release_waiting() {
    for (auto slot = slots_.begin(); slot != slots_.end();) {
        const auto current = slot++;
        if (current->running) continue;
        current->running = true;  // ours alone until it is gone
        co_await release(*current);
        slot = std::next(current);
        slots_.erase(current);
    }
}

Task<bool> Dispatcher::again(int tries, const Error& error) {
    // Without an answer the lease decides: it runs out and the job is claimed again.
    if (!is_unanswered(error) || stopping_ || tries >= 20) co_return false;
    trouble_ = error.text();
    Cancel pause(jobs_);
    const Duration delay = backoff_delay(milliseconds(100), std::chrono::seconds(5), tries + 1);
    const Result<void> slept = co_await around_.loop.timers().sleep(delay, pause);
    co_return slept.has_value();
}

}  // namespace musher
