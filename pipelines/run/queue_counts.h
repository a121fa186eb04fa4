// QueueCounts: the counts of many queues, asked in one go.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "pipelines/run/reactor.h"
#include "reactor/task/waiters.h"

namespace musher {

/// Loop thread only.
class QueueCounts {
  public:
    using All = std::map<std::string, Result<QueueStats>>;  // by the queue's NamedQueue::name

    explicit QueueCounts(Loop& loop) : loop_(loop), answered_(loop.ready()) {}

    /// All questions leave together, so a server gets those for its queues in one write.
    Task<All> ask(std::vector<NamedQueue> queues, Cancel& cancel);
    /// What a queue answered the last time that it did; zeros when it never has.
    QueueStats known(const std::string& name) const;
    /// For who looks often: however many ask, there is one question at a time, at most one a
    /// second, and a server that is silent for 2 s counts as away. At most a second old.
    Task<std::shared_ptr<const All>> look(std::vector<NamedQueue> queues, Cancel& cancel);

  private:
    static Task<void> ask_one(std::shared_ptr<JobQueue> queue, Cancel& cancel,
                              Result<QueueStats>& answer);
    bool fresh() const;

    Loop& loop_;
    std::map<std::string, QueueStats> known_;
    Waiters answered_;
    std::shared_ptr<const All> last_ = std::make_shared<All>();
    Instant asked_at_{};
    bool asking_ = false;
};

}  // namespace musher
