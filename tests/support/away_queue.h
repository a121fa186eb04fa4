// A queue that is away when a test says so, for what is asked while a job runs: the storing of a
// receipt, the search for other jobs.
#pragma once

#include <functional>

#include "pipelines/queue/job_queue.h"

namespace musher::test {

class AwayQueue final : public JobQueue {
  public:
    explicit AwayQueue(JobQueue& behind) : behind_(behind) {}
    /// Asked at each call.
    std::function<bool()> away;
    Errc why = Errc::unavailable;

    Task<Result<void>> store_receipt(std::string id, std::string token, Receipt receipt,
                                     Cancel& cancel) override {
        if (away && away()) co_return musher::fail(why, "redis is away");
        co_return co_await behind_.store_receipt(std::move(id), std::move(token),
                                                 std::move(receipt), cancel);
    }

    const std::string& name() const override { return behind_.name(); }
    void limit(const QueueOptions& options) override { behind_.limit(options); }
    Task<Result<std::vector<PutCode>>> put(std::vector<Job> jobs, Cancel& cancel) override {
        return behind_.put(std::move(jobs), cancel);
    }
    Task<Result<CycleOut>> cycle(CycleIn in, Cancel& cancel) override {
        return behind_.cycle(std::move(in), cancel);
    }
    Task<Result<bool>> fail(Defeat defeat, Cancel& cancel) override {
        return behind_.fail(std::move(defeat), cancel);
    }
    Task<Result<void>> release(std::string id, std::string token, milliseconds delay,
                               Cancel& cancel) override {
        return behind_.release(std::move(id), std::move(token), delay, cancel);
    }
    Task<Result<Reaped>> reap(Cancel& cancel) override { return behind_.reap(cancel); }
    Task<Result<std::vector<Presence>>> find(std::vector<std::string> ids,
                                             Cancel& cancel) override {
        if (away && away()) co_return musher::fail(why, "redis is away");
        co_return co_await behind_.find(std::move(ids), cancel);
    }
    Task<Result<JobRow>> show(std::string id, Cancel& cancel) override {
        return behind_.show(std::move(id), cancel);
    }
    Task<Result<JobPage>> list(JobFilter filter, Cancel& cancel) override {
        return behind_.list(std::move(filter), cancel);
    }
    Task<Result<QueueStats>> stats(Cancel& cancel) override { return behind_.stats(cancel); }
    Task<Result<JobState>> cancel_job(std::string id, Cancel& cancel) override {
        return behind_.cancel_job(std::move(id), cancel);
    }
    Task<Result<void>> replay(std::string id, Cancel& cancel) override {
        return behind_.replay(std::move(id), cancel);
    }
    Task<Result<void>> hasten(std::string id, Cancel& cancel) override {
        return behind_.hasten(std::move(id), cancel);
    }
    Task<Result<void>> set_paused(bool paused, Cancel& cancel) override {
        return behind_.set_paused(paused, cancel);
    }
    Task<Result<std::size_t>> purge(JobState state, Cancel& cancel) override {
        return behind_.purge(state, cancel);
    }
    Task<Result<JobState>> withdraw(std::string id, Cancel& cancel) override {
        return behind_.withdraw(std::move(id), cancel);
    }
    Task<Result<void>> forget(std::string id, Cancel& cancel) override {
        return behind_.forget(std::move(id), cancel);
    }

  private:
    JobQueue& behind_;
};

}  // namespace musher::test
