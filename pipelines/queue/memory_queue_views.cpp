// MemoryQueue: what people ask for and order by hand.
#include <fmt/format.h>

#include <algorithm>

#include "pipelines/queue/job_records.h"
#include "pipelines/queue/memory_queue.h"

namespace musher {

namespace {
Failure unknown(const std::string& id) {
    return musher::fail(Errc::not_found, "no job " + id + " in this queue");
}
Failure wrong_state(const std::string& id, JobState state, const char* wanted) {
    return musher::fail(Errc::conflict,
                        "job " + id + " is " + std::string(state_name(state)) + ", not " + wanted);
}
}  // namespace

JobState MemoryQueue::state_of(const Record& record) const {
    switch (record.place) {
        case Place::ready:
        case Place::parked:
            return JobState::waiting;
        case Place::delayed:
            return JobState::delayed;
        case Place::leased:
            return JobState::running;
        case Place::dead:
            return record.end;
        case Place::done:
            return JobState::done;
    }
    return JobState::done;
}

JobRow MemoryQueue::row_of(const Record& record) const {
    JobRow row;
    row.job = record.job;
    row.state = state_of(record);
    row.attempt = record.attempts();
    if (record.place == Place::delayed) row.due_ms = record.until_ms;
    if (record.place == Place::dead || record.place == Place::done) row.ended_ms = record.until_ms;
    row.receipts = read_receipts(record.receipts);
    row.error = read_error(record.error, record.error_attempt, record.error_ms);
    row.story = read_story(record.story);
    row.progress = record.progress;
    return row;
}

Task<Result<std::vector<Presence>>> MemoryQueue::find(std::vector<std::string> ids, Cancel&) {
    std::vector<Presence> found;
    for (const std::string& id : ids) {
        const auto at = records_.find(id);
        if (at == records_.end()) {
            found.push_back(Presence::unknown);
        } else if (at->second.place == Place::done) {
            found.push_back(Presence::done);
        } else {
            found.push_back(at->second.place == Place::dead ? Presence::dead : Presence::live);
        }
    }
    co_return found;
}

Task<Result<JobRow>> MemoryQueue::show(std::string id, Cancel&) {
    const auto found = records_.find(id);
    if (found == records_.end()) co_return unknown(id);
    co_return row_of(found->second);
}

/// By place in a listing: running, waiting (in their order), delayed, dead and cancelled, done
/// (these newest first).
std::map<std::string, const MemoryQueue::Record*> MemoryQueue::in_order(
    std::optional<JobState> state) const {
    std::map<std::string, const Record*> all;
    for (const auto& [id, record] : records_) {
        if (state && state_of(record) != *state) continue;
        const auto date = static_cast<std::uint64_t>(record.until_ms);
        std::string at;
        switch (record.place) {
            case Place::leased:
                at = fmt::format("0.{:020}", date);
                break;
            case Place::ready:
                at = fmt::format("1.{:020}", record.score);
                break;
            case Place::parked:
                at = fmt::format("2.{}.{:020}", record.job.key, record.score);
                break;
            case Place::delayed:
                at = fmt::format("3.{:020}", date);
                break;
            case Place::dead:
                at = fmt::format("4.{:020}", ~date);
                break;
            case Place::done:
                at = fmt::format("5.{:020}", ~date);
                break;
        }
        all.emplace(at + "." + id, &record);
    }
    return all;
}

Task<Result<JobPage>> MemoryQueue::list(JobFilter filter, Cancel&) {
    const std::map<std::string, const Record*> all = in_order(filter.state);
    JobPage page;
    std::string last;
    for (auto at = all.upper_bound(filter.after); at != all.end(); ++at) {
        if (page.items.size() == std::max<std::size_t>(filter.limit, 1)) {
            page.next = last;
            break;
        }
        page.items.push_back(row_of(*at->second));
        last = at->first;
    }
    co_return page;
}

Task<Result<QueueStats>> MemoryQueue::stats(Cancel&) {
    QueueStats stats;
    std::int64_t oldest = clock_.wall_ms();
    for (const auto& [id, record] : records_) {
        switch (state_of(record)) {
            case JobState::waiting:
                stats.waiting += 1;
                if (record.place == Place::ready) oldest = std::min(oldest, record.accepted_ms);
                break;
            case JobState::delayed:
                stats.delayed += 1;
                break;
            case JobState::running:
                stats.running += 1;
                break;
            case JobState::done:
                stats.done += 1;
                break;
            case JobState::dead:
                stats.dead += 1;
                break;
            case JobState::cancelled:
                stats.cancelled += 1;
                break;
        }
    }
    stats.oldest_ms = clock_.wall_ms() - oldest;
    if (!delayed_.empty()) stats.next_due_ms = delayed_.begin()->first;
    stats.paused = paused_;
    stats.counters = counters_;
    co_return stats;
}

Task<Result<JobState>> MemoryQueue::cancel_job(std::string id, Cancel&) {
    const auto found = records_.find(id);
    if (found == records_.end()) co_return unknown(id);
    Record& record = found->second;
    if (record.place == Place::leased) {
        record.cancel_asked = true;
    } else if (record.place != Place::dead && record.place != Place::done) {
        bury(record, JobState::cancelled, cancelled_line(),
             story_line("cancelled", record.attempts(), clock_.wall_ms()));
    }
    co_return state_of(record);
}

Task<Result<void>> MemoryQueue::replay(std::string id, Cancel&) {
    const auto found = records_.find(id);
    if (found == records_.end()) co_return unknown(id);
    Record& record = found->second;
    if (record.place != Place::dead) co_return wrong_state(id, state_of(record), "dead");
    const std::string& dedupe = record.job.dedupe;
    if (!dedupe.empty() && !dedupe_.emplace(dedupe, id).second) {
        co_return musher::fail(Errc::conflict, "job " + dedupe_.at(dedupe) +
                                                   " with the same dedupe value is in the queue");
    }
    unplace(record);
    append_story(record.story, story_line("replayed", record.attempts(), clock_.wall_ms()));
    record.failures = record.stalls = 0;
    record.error.clear();
    record.accepted_ms = clock_.wall_ms();
    record.not_before_ms = 0;
    place(record);
    count("replayed");
    co_return Result<void>();
}

Task<Result<void>> MemoryQueue::hasten(std::string id, Cancel&) {
    const auto found = records_.find(id);
    if (found == records_.end()) co_return unknown(id);
    Record& record = found->second;
    if (record.place == Place::delayed) {
        unplace(record);
        back_to_ready(record);
    } else if (record.place == Place::parked) {
        record.not_before_ms = 0;
    } else if (record.place != Place::ready) {
        co_return wrong_state(id, state_of(record), "delayed");
    }
    co_return Result<void>();
}

Task<Result<void>> MemoryQueue::set_paused(bool paused, Cancel&) {
    paused_ = paused;
    co_return Result<void>();
}

Task<Result<std::size_t>> MemoryQueue::purge(JobState state, Cancel&) {
    if (state != JobState::done && state != JobState::dead && state != JobState::cancelled) {
        co_return musher::fail(Errc::usage, "only done, dead and cancelled jobs can be purged");
    }
    const std::size_t before = records_.size();
    std::erase_if(records_, [&](const auto& item) { return state_of(item.second) == state; });
    const auto forgotten = [&](const auto& item) { return !records_.contains(item.second); };
    std::erase_if(done_, forgotten);
    std::erase_if(dead_, forgotten);
    co_return before - records_.size();
}

Task<Result<JobState>> MemoryQueue::withdraw(std::string id, Cancel&) {
    const auto found = records_.find(id);
    if (found == records_.end()) co_return unknown(id);
    Record& record = found->second;
    const JobState state = state_of(record);
    if (state != JobState::waiting && state != JobState::delayed) co_return state;
    bury(record, JobState::cancelled, released_line(),
         story_line(kReleased, record.attempts(), clock_.wall_ms()));
    co_return JobState::cancelled;
}

Task<Result<void>> MemoryQueue::forget(std::string id, Cancel&) {
    const auto found = records_.find(id);
    if (found == records_.end()) co_return Result<void>();
    const Record& record = found->second;
    if (record.place != Place::dead) co_return wrong_state(id, state_of(record), "dead");
    dead_.erase({record.until_ms, id});
    records_.erase(found);
    co_return Result<void>();
}

}  // namespace musher
