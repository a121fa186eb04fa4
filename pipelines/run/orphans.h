// Orphans: queues that hold jobs of pipelines whose file is gone.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "pipelines/queue/queue_server.h"

namespace musher {

struct Orphan {
    std::string name;  // its pipeline's; of the queue where another has that name
    std::shared_ptr<RedisQueue> queue;
    QueueStats stats;  // when it was found
};

/// Loop thread only. close() before destruction.
class Orphans {
  public:
    /// A server, and the queues on it that pipelines here work on.
    using Owned = std::map<QueueServer*, std::set<std::string>>;

    /// Those that hold jobs, finished ones too. Not among them: queues with files of other hosts,
    /// and those that another reactor works on. `names`: of the pipelines here. What is found lives
    /// until close().
    Task<Result<std::vector<Orphan*>>> find(const Owned& owned, std::set<std::string> names,
                                            const std::string& node, Cancel& cancel);
    Task<void> close();

  private:
    std::map<std::pair<QueueServer*, std::string>, Orphan> known_;
};

/// Jobs that somebody has to run, or to take out.
std::uint64_t unended_jobs(const Orphan& orphan);
/// What is wrong, for people.
std::string orphan_trouble(const Orphan& orphan);
/// One element of `status --json`'s pipelines.
Json orphan_row(const Orphan& orphan);

}  // namespace musher
