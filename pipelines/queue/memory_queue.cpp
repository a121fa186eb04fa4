#include "pipelines/queue/memory_queue.h"

#include <algorithm>

#include "pipelines/queue/job_records.h"

namespace musher {

namespace {
constexpr int kPriorities = 4096;
constexpr std::size_t kReapBatch = 100;

Failure lost(const std::string& id) {
    return musher::fail(Errc::conflict, "job " + id + " is no longer held with this token");
}
}  // namespace

MemoryQueue::MemoryQueue(std::string name, Clock& clock, QueueOptions options)
    : name_(std::move(name)), clock_(clock), options_(options) {}

void MemoryQueue::limit(const QueueOptions& options) {
    const milliseconds lease = options_.lease;
    options_ = options;
    options_.lease = lease;
}

int MemoryQueue::Record::attempts() const {
    return failures + stalls + (place == Place::leased || place == Place::done ? 1 : 0);
}

/// The record when `token` holds it now.
MemoryQueue::Record* MemoryQueue::held(const std::string& id, const std::string& token) {
    const auto found = records_.find(id);
    if (found == records_.end() || found->second.place != Place::leased) return nullptr;
    return found->second.token == token ? &found->second : nullptr;
}

Task<Result<std::vector<PutCode>>> MemoryQueue::put(std::vector<Job> jobs, Cancel&) {
    std::vector<PutCode> codes;
    for (Job& job : jobs) codes.push_back(accept(std::move(job)));
    co_return codes;
}

PutCode MemoryQueue::accept(Job job) {
    if (records_.contains(job.id)) return PutCode::known_id;
    if (!job.dedupe.empty() && dedupe_.contains(job.dedupe)) return PutCode::known_dedupe;
    const std::size_t unfinished = records_.size() - done_.size() - dead_.size() - leases_.size();
    const bool limited = options_.waiting > 0 && !job.on_failure;
    if (limited && unfinished >= options_.waiting) return PutCode::full;
    if (!job.dedupe.empty()) dedupe_[job.dedupe] = job.id;
    job.queue = name_;
    Record& record = records_[job.id];
    record.job = std::move(job);
    record.not_before_ms = record.job.due_ms;
    record.accepted_ms = clock_.wall_ms();
    place(record);
    count("enqueued");
    return PutCode::accepted;
}

/// Gives a newly accepted job its turn and its place.
void MemoryQueue::place(Record& record) {
    const Job& job = record.job;
    const auto priority = static_cast<Score>(std::clamp(job.priority, 0, kPriorities - 1));
    record.score = (priority << 40) + ++accepted_;
    if (!job.key.empty()) {
        std::deque<std::string>& line = keys_[job.key];
        line.push_back(job.id);
        if (line.size() > 1) {
            record.place = Place::parked;
            return;
        }
    }
    admit(record);
}

/// Where a job goes whose turn has come.
void MemoryQueue::admit(Record& record) {
    if (record.not_before_ms <= clock_.wall_ms()) return back_to_ready(record);
    record.place = Place::delayed;
    record.until_ms = record.not_before_ms;
    delayed_.emplace(record.until_ms, record.job.id);
}

void MemoryQueue::back_to_ready(Record& record) {
    record.place = Place::ready;
    ready_.emplace(record.score, record.job.id);
}

/// Takes the record out of where it is.
void MemoryQueue::unplace(Record& record) {
    const std::string& id = record.job.id;
    switch (record.place) {
        case Place::ready:
            ready_.erase(record.score);
            break;
        case Place::delayed:
            delayed_.erase({record.until_ms, id});
            break;
        case Place::leased:
            leases_.erase({record.until_ms, id});
            break;
        case Place::dead:
            dead_.erase({record.until_ms, id});
            break;
        case Place::done:
            done_.erase({record.until_ms, id});
            break;
        case Place::parked:
            break;  // free_key knows where
    }
}

/// The next job of the key gets its turn.
void MemoryQueue::free_key(Record& record) {
    if (record.job.key.empty()) return;
    const auto found = keys_.find(record.job.key);
    std::deque<std::string>& line = found->second;
    const bool had_the_turn = line.front() == record.job.id;
    std::erase(line, record.job.id);
    if (line.empty()) {
        keys_.erase(found);
    } else if (had_the_turn) {
        admit(records_.at(line.front()));
    }
}

void MemoryQueue::drop_claim(Record& record) {
    unplace(record);
    record.progress = nullptr;
    record.cancel_asked = false;
}

void MemoryQueue::bury(Record& record, JobState end, const std::string& error,
                       const std::string& story) {
    drop_claim(record);
    record.place = Place::dead;
    free_key(record);
    if (!record.job.dedupe.empty()) dedupe_.erase(record.job.dedupe);
    record.end = end;
    record.until_ms = record.error_ms = clock_.wall_ms();
    record.error = error;
    record.error_attempt = record.attempts();
    append_story(record.story, story);
    dead_.emplace(record.until_ms, record.job.id);
    count(end == JobState::dead ? "dead" : "cancelled");
}

Task<Result<CycleOut>> MemoryQueue::cycle(CycleIn in, Cancel&) {
    CycleOut out;
    for (const Ack& ack : in.acks) out.acks.push_back(finish(ack));
    for (const Beat& one : in.beats) out.beats.push_back(beat(one));
    out.claimed = claim(in.claim);
    co_return out;
}

AckCode MemoryQueue::finish(const Ack& ack) {
    Record* record = held(ack.id, ack.token);
    if (!record) {
        const auto found = records_.find(ack.id);
        const bool ended = found == records_.end() || found->second.place == Place::done;
        return ended ? AckCode::gone : AckCode::stolen;
    }
    drop_claim(*record);
    free_key(*record);
    if (!record->job.dedupe.empty()) dedupe_.erase(record->job.dedupe);
    record->place = Place::done;
    record->until_ms = clock_.wall_ms();
    record->error.clear();
    if (weight_of(*record->job.event.facts) > kKeptJobBytes) record->job.event.facts = {};
    record->receipts = without_notes(record->receipts);
    append_story(record->story, story_line(ack.story));
    done_.emplace(record->until_ms, ack.id);
    count("done");
    trim_history();
    return AckCode::acked;
}

BeatCode MemoryQueue::beat(const Beat& beat) {
    Record* record = held(beat.id, beat.token);
    if (!record) {
        const auto found = records_.find(beat.id);
        const bool ended = found == records_.end() || found->second.place == Place::done;
        return ended ? BeatCode::gone : BeatCode::stolen;
    }
    leases_.erase({record->until_ms, beat.id});
    record->until_ms = clock_.wall_ms() + options_.lease.count();
    leases_.emplace(record->until_ms, beat.id);
    if (!beat.progress.is_null()) record->progress = beat.progress;
    return record->cancel_asked ? BeatCode::cancel : BeatCode::held;
}

void MemoryQueue::promote_due() {
    while (!delayed_.empty() && delayed_.begin()->first <= clock_.wall_ms()) {
        Record& record = records_.at(delayed_.begin()->second);
        unplace(record);
        back_to_ready(record);
    }
}

Claimed MemoryQueue::claim(std::size_t most) {
    promote_due();
    Claimed claimed;
    const std::string token = name_ + "." + std::to_string(++claims_);
    while (!paused_ && claimed.claims.size() < most && !ready_.empty()) {
        Record& record = records_.at(ready_.begin()->second);
        unplace(record);
        record.place = Place::leased;
        record.until_ms = clock_.wall_ms() + options_.lease.count();
        record.token = token;
        leases_.emplace(record.until_ms, record.job.id);
        claimed.claims.push_back(
            Claim{record.job, token, record.attempts(), record.stalls,
                  read_receipts(record.receipts)});
        count("claimed");
    }
    if (!delayed_.empty()) {
        claimed.next_due = milliseconds(delayed_.begin()->first - clock_.wall_ms());
    }
    return claimed;
}

Task<Result<bool>> MemoryQueue::fail(Defeat defeat, Cancel&) {
    Record* record = held(defeat.id, defeat.token);
    if (!record) {
        // The same defeat again, because its answer was lost, gets the same answer.
        const auto found = records_.find(defeat.id);
        const bool same = found != records_.end() && found->second.defeated == defeat.token &&
                          found->second.place != Place::done;
        if (!same) co_return lost(defeat.id);
        co_return found->second.place != Place::dead;
    }
    const int attempt = record->attempts();
    const bool told_before =
        !defeat.spends_try && record->held && record->error_attempt == attempt;
    record->held = !defeat.spends_try;
    record->defeated = defeat.token;
    record->failures += defeat.spends_try ? 1 : 0;
    const std::string error = error_line(defeat.error, defeat.step);
    const std::string story = story_line(defeat.story);
    const bool again = defeat.retry && record->failures < record->job.max_attempts;
    if (!again || record->cancel_asked) {
        bury(*record, record->cancel_asked ? JobState::cancelled : defeat.state, error, story);
        co_return false;
    }
    drop_claim(*record);
    record->error = error;
    if (told_before) {
        const std::size_t last = record->story.rfind('\n');
        record->story.erase(last == std::string::npos ? 0 : last);
    }
    append_story(record->story, story);
    record->place = Place::delayed;
    record->error_attempt = attempt;
    record->error_ms = clock_.wall_ms();
    record->until_ms = clock_.wall_ms() + defeat.delay.count();
    delayed_.emplace(record->until_ms, defeat.id);
    if (defeat.spends_try) count("retried");
    co_return true;
}

Task<Result<void>> MemoryQueue::release(std::string id, std::string token, milliseconds delay,
                                        Cancel&) {
    const auto found = records_.find(id);
    if (found == records_.end()) co_return lost(id);
    Record& record = found->second;
    const bool waits = record.place == Place::ready || record.place == Place::parked ||
                       record.place == Place::delayed;
    if (waits) co_return Result<void>();
    if (!held(id, token)) co_return lost(id);
    if (record.cancel_asked) {
        const int attempt = record.attempts();
        record.failures += 1;
        bury(record, JobState::cancelled, cancelled_line(),
             story_line("cancelled", attempt, clock_.wall_ms()));
    } else {
        drop_claim(record);
        record.not_before_ms = clock_.wall_ms() + delay.count();
        admit(record);
    }
    co_return Result<void>();
}

Task<Result<void>> MemoryQueue::store_receipt(std::string id, std::string token, Receipt receipt,
                                              Cancel&) {
    Record* record = held(id, token);
    if (!record) co_return lost(id);
    const std::string line = to_line(receipt.to_json());
    // A line twice is the same call twice: its answer was lost.
    if (("\n" + record->receipts + "\n").find("\n" + line + "\n") == std::string::npos) {
        if (!record->receipts.empty()) record->receipts += '\n';
        record->receipts += line;
    }
    co_return Result<void>();
}

Task<Result<Reaped>> MemoryQueue::reap(Cancel&) {
    const std::int64_t now = clock_.wall_ms();
    Reaped reaped;
    for (std::size_t i = 0; i < kReapBatch && !leases_.empty() && leases_.begin()->first <= now;
         ++i) {
        Record& record = records_.at(leases_.begin()->second);
        const std::string story = story_line("stalled", record.attempts(), now);
        record.stalls += 1;
        record.held = false;
        record.defeated.clear();
        count("stalled");
        if (record.cancel_asked) {
            bury(record, JobState::cancelled, cancelled_line(), story);
            reaped.ended.push_back(row_of(record));
        } else {
            drop_claim(record);
            append_story(record.story, story);
            back_to_ready(record);
            reaped.back += 1;
        }
    }
    trim_history();
    co_return reaped;
}

void MemoryQueue::trim_history() {
    const auto keep = std::chrono::duration_cast<milliseconds>(options_.keep).count();
    const std::int64_t oldest = clock_.wall_ms() - keep;
    while (!done_.empty() && (done_.size() > options_.history || done_.begin()->first < oldest)) {
        records_.erase(done_.begin()->second);
        done_.erase(done_.begin());
    }
    while (dead_.size() > options_.history) {
        records_.erase(dead_.begin()->second);
        dead_.erase(dead_.begin());
    }
}

}  // namespace musher
