// Dispatcher: claims jobs while slots are free, runs them, renews their leases, settles them.
#pragma once

#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>

#include "pipelines/queue/job_queue.h"
#include "pipelines/run/hold.h"
#include "pipelines/run/job_runner.h"
#include "pipelines/run/program.h"
#include "pipelines/run/surroundings.h"
#include "pipelines/run/tally.h"
#include "reactor/base/backoff.h"

namespace musher {

/// One per pipeline. Loop thread only.
class Dispatcher {
  public:
    /// `settled` gets what ended, in batches, after the queue has recorded it.
    Dispatcher(const Surroundings& around, const std::shared_ptr<const Program>& program,
               JobQueue& queue, Tally& tally, Scope* parent,
               std::function<void(std::vector<Settlement>)> settled);
    ~Dispatcher();

    /// Works until `stop`, then lets running jobs end for up to `grace`, releases the rest (no
    /// try spent) and returns with nothing in hand.
    Task<void> run(Cancel& stop, Duration grace);
    /// Jobs may be waiting. Cheap.
    void wake();
    /// A job that runs may have been cancelled: renews the leases now, whose answer says so.
    void beat();
    /// The program is another one: more may run at a time, and a sink that is held may be mended.
    void edited();
    /// Called about every 15 s: looks at the queue without a reason, reaps lost leases.
    void tick();

    const Hold& hold() const { return hold_; }
    std::size_t running() const { return running_; }
    /// Claimed in advance: leased like those that run, but waiting for one of them to end.
    std::size_t prefetched() const;
    /// Why jobs are not claimed (the queue cannot be reached); empty: they are.
    const std::string& trouble() const { return trouble_; }

    /// Claimed, or its end is being written down.
    bool has(const std::string& job) const;
    /// Woken when a job has ended, or was settled.
    Waiters& ends() { return ends_; }
    /// The source has finished `count` settlements; many unfinished ones stop the claims.
    void settled_done(std::size_t count);

  private:
    struct Slot;
    struct Ended {
        Settlement told;
        int attempt = 0;
    };
    using Slots = std::list<Slot>;

    // the pump (dispatcher.cpp)
    std::size_t prefetch() const;
    std::size_t wanted() const;
    bool beat_due() const;
    bool cycle_due() const;
    Task<void> turn(Cancel& stop);
    Task<void> ask(Cancel& stop);
    Task<void> idle(Cancel& stop);
    Task<Result<void>> cycle(Cancel& cancel);
    Task<Result<void>> reap(Cancel& cancel);
    CycleIn collect();
    void settle(std::vector<Settlement> batch);
    void take_reaped(Reaped reaped);
    void take_acks(const std::vector<AckCode>& codes);
    void take_beats(const std::vector<Beat>& beats, const std::vector<BeatCode>& codes);
    void take_claims(Claimed claimed, std::size_t asked);
    bool start_ready();  // true: there are more
    void changed();
    Task<void> wind_down(Duration grace);

    // the ends of jobs (job_end.cpp)
    Task<void> run_job(Slots::iterator slot);
    Task<RunReport> attempt(Slot& slot, const Program& program);
    Task<Result<Presence>> parent_of(Slot& slot);
    void finish(Slot& slot, RunReport report);
    Defeat defeat_of(const Slot& slot, const RunReport& report, const Program& program);
    Task<void> defeat(Slot& slot, RunReport report, const Program& program);
    Task<Result<void>> raise_on_failure(const Job& job, const Error& error, const Program& program);
    Task<void> settle_failed(Slot& slot, const Defeat& end, Json story);
    Task<void> release(Slot& slot, Duration delay = Duration(0));
    /// Whose fault it is that a sink did not take a job.
    enum class Guilt { sink, moment, item };
    Guilt guilt_of(const std::string& job, const std::string& sink, const Error& error);
    void sinks_passed(const std::string& job, const RunReport& report);
    Task<void> hasten(std::vector<std::string> ids);
    Task<void> give_back_lost_claims(Cancel& cancel);
    Task<void> release_waiting();
    /// Sleeps before the next try of a call that got no answer; false: give it up.
    Task<bool> again(int tries, const Error& error);

    const Surroundings& around_;
    const std::shared_ptr<const Program>& program_;
    JobQueue& queue_;
    Tally& tally_;
    std::function<void(std::vector<Settlement>)> settled_;
    Hold hold_;
    struct Complaint {
        Instant since{};
        int times = 0;
    };
    Passed passes_;  // by sink: when a job went through last
    std::map<std::string, std::map<std::string, Complaint>> blamers_;  // by job, by sink
    Scope scope_;
    Cancel jobs_;   // parent of every job's Cancel
    Cancel leave_;  // a stop has begun: what waits for something goes back at once
    Slots slots_;   // claimed: waiting to start or running
    std::size_t running_ = 0;
    std::vector<Ack> acks_;     // done, not yet told to the queue
    std::vector<Ended> ended_;  // one for each of acks_, in their order
    std::size_t settling_ = 0;
    std::deque<Instant> finished_;  // of the last 20 ms
    Waiters turn_;
    Waiters ends_;
    bool dirty_ = true;  // something changed since the pump last looked
    bool look_ = true;   // the queue may have jobs for us
    bool reap_ = true;
    bool asking_ = false;   // a call of ask() is on its way
    bool beat_ = false;     // without waiting for limits::kBeat
    bool careful_ = false;  // jobs that stalled are here: none is held that does not run
    bool stopping_ = false;
    bool vain_probe_ = false;  // the last claim gave nothing
    bool claim_lost_ = false;  // the answer to a claim: the queue has given us jobs
    Instant last_beat_;
    Instant next_due_ = Instant::max();
    Instant next_start_{};                                         // for limits.rate
    Backoff backoff_{milliseconds(100), std::chrono::seconds(5)};  // while the queue is away
    std::string trouble_;
};

}  // namespace musher
