// MemoryQueue: the queue without a server, for tests, for reading, and for `via: direct`, where the
// source itself remembers what has not ended: the rules of a queue in plain C++, where the Redis
// scripts say the same in Lua.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <unordered_map>

#include "pipelines/queue/job_queue.h"
#include "reactor/base/clock.h"

namespace musher {

/// Durability class `memory`: nothing survives the process. Loop thread only.
class MemoryQueue final : public JobQueue {
  public:
    MemoryQueue(std::string name, Clock& clock, QueueOptions options = {});

    const std::string& name() const override { return name_; }
    void limit(const QueueOptions& options) override;
    Task<Result<std::vector<PutCode>>> put(std::vector<Job> jobs, Cancel& cancel) override;
    Task<Result<CycleOut>> cycle(CycleIn in, Cancel& cancel) override;
    Task<Result<bool>> fail(Defeat defeat, Cancel& cancel) override;
    Task<Result<void>> release(std::string id, std::string token, milliseconds delay,
                               Cancel& cancel) override;
    Task<Result<void>> store_receipt(std::string id, std::string token, Receipt receipt,
                                     Cancel& cancel) override;
    Task<Result<Reaped>> reap(Cancel& cancel) override;
    Task<Result<std::vector<Presence>>> find(std::vector<std::string> ids, Cancel& cancel) override;
    Task<Result<JobRow>> show(std::string id, Cancel& cancel) override;
    Task<Result<JobPage>> list(JobFilter filter, Cancel& cancel) override;
    Task<Result<QueueStats>> stats(Cancel& cancel) override;
    Task<Result<JobState>> cancel_job(std::string id, Cancel& cancel) override;
    Task<Result<void>> replay(std::string id, Cancel& cancel) override;
    Task<Result<void>> hasten(std::string id, Cancel& cancel) override;
    Task<Result<void>> set_paused(bool paused, Cancel& cancel) override;
    Task<Result<std::size_t>> purge(JobState state, Cancel& cancel) override;
    Task<Result<JobState>> withdraw(std::string id, Cancel& cancel) override;
    Task<Result<void>> forget(std::string id, Cancel& cancel) override;

  private:
    using Score = std::uint64_t;                                   // priority · 2^40 + acceptance
    using Dated = std::set<std::pair<std::int64_t, std::string>>;  // wall ms, id
    enum class Place { ready, delayed, parked, leased, dead, done };
    struct Record {
        Job job;
        Place place = Place::ready;
        JobState end = JobState::dead;  // when in the dead set: dead or cancelled
        Score score = 0;
        std::int64_t accepted_ms = 0;
        std::int64_t not_before_ms = 0;  // when it may run first
        std::int64_t until_ms = 0;  // due, end of the lease, or when it ended: by `place`
        std::string token;          // of the last holder
        std::string defeated;       // token of the attempt that failed last
        bool held = false;          // that one spent no try
        int failures = 0;
        int stalls = 0;
        bool cancel_asked = false;
        std::string receipts, story, error;  // lines, see job_records.h
        int error_attempt = 0;
        std::int64_t error_ms = 0;
        Json progress = nullptr;
        int attempts() const;  // the running one included
    };

    Record* held(const std::string& id, const std::string& token);
    PutCode accept(Job job);
    void place(Record& record);
    void admit(Record& record);
    void unplace(Record& record);
    void back_to_ready(Record& record);
    void bury(Record& record, JobState end, const std::string& error, const std::string& story);
    void free_key(Record& record);
    void drop_claim(Record& record);
    AckCode finish(const Ack& ack);
    BeatCode beat(const Beat& beat);
    Claimed claim(std::size_t most);
    void promote_due();
    void trim_history();
    JobState state_of(const Record& record) const;
    JobRow row_of(const Record& record) const;
    std::map<std::string, const Record*> in_order(std::optional<JobState> state) const;
    void count(const char* what) { counters_[what] = counters_.value(what, 0) + 1; }

    std::string name_;
    Clock& clock_;
    QueueOptions options_;
    std::unordered_map<std::string, Record> records_;  // all but purged ones
    std::map<Score, std::string> ready_;
    Dated delayed_, leases_, dead_, done_;
    std::map<std::string, std::string> dedupe_;            // value → id
    std::map<std::string, std::deque<std::string>> keys_;  // key → whose turn, then the parked
    Score accepted_ = 0;
    std::uint64_t claims_ = 0;
    bool paused_ = false;
    Json counters_ = Json::object();
};

}  // namespace musher
