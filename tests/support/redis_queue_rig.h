// A RedisQueue on a real server, with its records checked and its time movable.
#pragma once

#include <memory>

#include "pipelines/queue/redis_queue.h"
#include "tests/support/queue_conformance.h"
#include "tests/support/redis_server.h"

namespace musher::test {

class RedisQueueRig final : public QueueRig {
  public:
    /// `server` outlives the rig; start() empties it.
    explicit RedisQueueRig(const RedisServer& server, RedisQueueOptions more = {})
        : RedisQueueRig(server, std::move(more), server.target()) {}
    RedisQueueRig(const RedisServer& server, RedisQueueOptions more, RedisTarget target)
        : server_(server), more_(std::move(more)), target_(std::move(target)) {}

    Task<void> start(Loop& loop, QueueOptions options) override;
    RedisQueue& queue() override { return *queue_; }
    Redis& redis() { return *redis_; }
    std::int64_t now_ms() override { return RealClock().wall_ms(); }
    /// Redis has no clock of its own to turn: all dates of the queue move into the past.
    Task<void> pass(milliseconds time) override;
    Task<std::string> faults() override;
    Task<void> stop() override;

  private:
    const RedisServer& server_;
    RedisQueueOptions more_;
    RedisTarget target_;
    std::unique_ptr<Redis> redis_;
    std::unique_ptr<RedisQueue> queue_;
};

/// What does not fit together in the records of `queue`, one line each; empty: all does.
Task<std::string> queue_faults(Redis& redis, std::string queue);

}  // namespace musher::test
