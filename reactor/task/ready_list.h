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

/// `co_await next_turn(ready)`: goes on after everything that is ready now, so that what the
/// others of this turn ask for can be done in one go.
class NextTurn {
  public:
    explicit NextTurn(ReadyList& ready) : ready_(ready) {}
    NextTurn(NextTurn&&) = delete;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle) { ready_.post(handle); }
    void await_resume() const noexcept {}

  private:
    ReadyList& ready_;
};
inline NextTurn next_turn(ReadyList& ready) { return NextTurn(ready); }

}  // namespace musher
