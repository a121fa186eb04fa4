// Settler: brings the ends of jobs to the source that sent their events.
#pragma once

#include <functional>
#include <string>
#include <unordered_set>
#include <vector>

#include "pipelines/queue/job_queue.h"
#include "pipelines/run/program.h"
#include "reactor/loop/loop.h"

namespace musher {

/// One per pipeline. An end that cannot be settled is tried again with growing pauses, and holds
/// no other one up. The original of a dead job stays where it is until its on_failure job has
/// ended, whose steps read it.
///
/// kill -9 at any point: the source's recovery finds the original and asks the queue, which has
/// recorded the end. Loop thread only.
class Settler {
  public:
    /// `program` and `source` are read anew for each batch; `finished` hears how many of the added
    /// ends need no more work.
    Settler(Loop& loop, const std::shared_ptr<const Program>& program,
            const std::shared_ptr<Source>& source, JobQueue& queue,
            std::function<void(std::size_t)> finished);

    void add(std::vector<Settlement> batch);
    /// Works until end() was called and nothing is left that was not tried.
    Task<void> run(Cancel& stop);
    void end();
    /// The end of one job, now: for verbs. The first error.
    Task<Result<void>> settle_now(std::string id, Cancel& cancel);
    /// Whether the end of that event's job is on its way to the source; not while it rests after a
    /// try in vain.
    bool has(const std::string& event) const { return under_way_.contains(event); }
    /// Why some are not settled; empty: all are.
    const std::string& trouble() const { return trouble_; }

  private:
    const std::string& kind() const { return program_->config().source_kind; }
    const std::string& pipeline() const { return program_->config().name; }
    Task<Result<void>> settle(std::vector<Settlement>& batch, Cancel& cancel);
    Task<Result<void>> resolve(std::vector<Settlement>& batch, Cancel& cancel);
    Task<Result<void>> to_parents(std::vector<Settlement>& batch, Cancel& cancel);
    Task<void> rest(Instant again, Cancel& stop);

    Loop& loop_;
    const std::shared_ptr<const Program>& program_;
    const std::shared_ptr<Source>& source_;
    JobQueue& queue_;
    std::function<void(std::size_t)> finished_;
    std::vector<Settlement> fresh_;
    std::vector<Settlement> left_;               // tried in vain
    std::unordered_set<std::string> under_way_;  // events of fresh_, and of what is settled now
    Waiters woken_;
    bool ends_ = false;
    std::string trouble_;
};

}  // namespace musher
