// A MemoryQueue on a clock that stands still.
#pragma once

#include <memory>

#include "pipelines/queue/memory_queue.h"
#include "tests/support/queue_conformance.h"

namespace musher::test {

class MemoryQueueRig final : public QueueRig {
  public:
    Task<void> start(Loop&, QueueOptions options) override {
        queue_ = std::make_unique<MemoryQueue>("orders", clock_, options);
        co_return;
    }
    JobQueue& queue() override { return *queue_; }
    std::int64_t now_ms() override { return clock_.wall_ms(); }
    Task<void> pass(milliseconds time) override {
        clock_.advance(time);
        co_return;
    }
    Task<std::string> faults() override { co_return ""; }
    Task<void> stop() override { co_await queue_->close(); }

  private:
    ManualClock clock_;
    std::unique_ptr<MemoryQueue> queue_;
};

}  // namespace musher::test
