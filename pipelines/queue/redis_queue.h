// RedisQueue: the queue that many reactors share. The rules are in lua/*.lua; here are batches,
// tokens and what to do when an answer is lost.
#pragma once

#include <array>
#include <deque>
#include <memory>

#include "pipelines/queue/job_queue.h"
#include "pipelines/queue/scripts.h"
#include "reactor/loop/loop.h"

namespace musher {

/// The channel that says which queue has something new. Its messages are queue names; with
/// kOrder behind it somebody paused or resumed the queue, or cancelled a job that runs.
inline constexpr std::string_view kWakeChannel = "m1:wake";
inline constexpr std::string_view kOrder = " order";

/// The set of all names that queues of this Redis have had. A key of its own slot, so written by a
/// command of its own: before a queue's first job, and again at each start.
inline constexpr std::string_view kQueueRegistry = "m1:queues";

/// What `put` promises when it returns: Redis has it in memory; one replica has it too (WAIT 1);
/// it is on the disk (appendfsync always, which open() checks).
enum class Durability { memory, replicated, disk };

struct RedisQueueOptions {
    Durability durability = Durability::memory;
    std::string reactor;          // UUID of this process; empty: a verb, not listed as alive
    std::string node;             // UUID of the state directory that this process alone has: what
                                  // its earlier processes held is free; empty: unknown
    Json about = Json::object();  // host, pid, …: what the others see of it
};

/// Loop thread only; `redis` outlives it. close() before destruction.
class RedisQueue final : public JobQueue {
  public:
    RedisQueue(Loop& loop, Redis& redis, std::string name, QueueOptions options = {},
               RedisQueueOptions more = {});
    ~RedisQueue() override;

    /// Before anything else: `corrupt` for a format that this musher cannot read, `usage` when
    /// the server does not keep what the durability class promises. Enters the queue's name into
    /// the registry.
    Task<Result<void>> open(Cancel& cancel) override;
    Task<void> leave(Cancel& cancel) override;
    Task<void> close() override;
    /// Known after open(): the server has no append-only file, a restart loses its newest jobs.
    bool forgetful() const override { return forgetful_; }
    void limit(const QueueOptions& options) override;

    const std::string& name() const override { return name_; }
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
    using Args = std::vector<std::string>;
    struct PutCall;
    struct PutItem {
        std::shared_ptr<PutCall> call;
        std::size_t index;                  // among the call's jobs
        std::array<std::string, 8> fields;  // as enqueue.lua takes them
    };
    using PutBatch = std::vector<PutItem>;
    /// A claim that may be on its way. When its answer is lost the same token asks again.
    struct Slot {
        std::string memo;  // the server remembers the claim under this name
        std::string token;
        bool busy = false;
        bool lost = false;
    };

    Task<Result<RedisReply>> call(const RedisScript& script, Args args, Cancel& cancel);
    Error explain(Error error) const;
    Task<Result<void>> check_server(Cancel& cancel);

    Task<void> send_puts();
    PutBatch take_batch();
    Task<Result<std::vector<PutCode>>> send_batch(PutBatch& batch);
    Task<Result<void>> confirm_replica(Cancel& cancel);

    Task<Result<CycleOut>> settle_in_parts(CycleIn in, Cancel& cancel);
    Task<Result<Claimed>> claim_in_parts(std::size_t most, Cancel& cancel);
    Task<Result<CycleOut>> cycle_once(CycleIn in, Cancel& cancel);
    Task<Result<CycleOut>> cycle_call(const CycleIn& in, const Slot& slot, Cancel& cancel);
    Args cycle_args(const CycleIn& in, const Slot& slot);
    Slot& take_slot();
    Task<Result<Claimed>> read_claims(const RedisReply& flat, std::string token, Cancel& cancel);

    Loop& loop_;
    Redis& redis_;
    std::string name_;
    QueueOptions options_;
    RedisQueueOptions more_;
    QueueKeys keys_;
    Scope scope_;
    Cancel stop_;

    std::deque<PutItem> pending_;  // puts that are not sent yet
    std::size_t senders_ = 0;
    std::array<Slot, limits::kQueueDepth> slots_;
    Semaphore free_slots_;
    std::string node_mark_;     // how the tokens of this node begin
    std::string process_mark_;  // … and those of this process
    std::string nonce_;         // of this object: makes its tokens unlike all others
    bool orphans_freed_ = false;
    bool forgetful_ = false;
    std::uint64_t claims_ = 0;
    Instant announced_{};  // when `rx` last heard of us
};

}  // namespace musher
