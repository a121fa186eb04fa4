// What is ready to run next. Every primitive posts its waiter here instead of resuming it, so no
// caller is ever re-entered.
#pragma once

#include <coroutine>
#include <functional>
#include <vector>

namespace musher {

/// Loop thread only.
class ReadyList {
  public:
    /// `wake` is called when the list goes from empty to not empty.
    explicit ReadyList(std::function<void()> wake = {}) : wake_(std::move(wake)) {}

    void post(std::coroutine_handle<> handle);
    /// Resumes what was posted before the call; what that posts waits for the next drain.
    void drain();
    /// Drains until nothing is left: for tests without a loop.
    void run_all();
    bool empty() const { return next_.empty(); }

  private:
    std::function<void()> wake_;
    std::vector<std::coroutine_handle<>> next_;
    std::vector<std::coroutine_handle<>> now_;
};

}  // namespace musher
