// Readiness of one file descriptor that somebody else owns.
#pragma once

#include <functional>

#include "reactor/loop/loop.h"

namespace musher {

/// Stop or drop it before the descriptor is closed. Spurious calls are normal. Loop thread only.
class Poll {
  public:
    using Callback = std::function<void(int status, int events)>;
    /// `name` (static) is what the watchdog prints. `failed` if epoll refuses the descriptor.
    static Result<Poll> open(Loop& loop, int fd, const char* name);

    /// `events`: UV_READABLE | UV_WRITABLE | UV_DISCONNECT. Replaces an earlier start.
    void start(int events, Callback callback);
    void stop();

  private:
    struct State {
        Loop* loop;
        const char* name;
        Callback callback;
    };
    Poll(Loop& loop, const char* name);
    // Order matters: the handle is closed before the state it points to goes.
    std::unique_ptr<State> state_;
    UvOwner<uv_poll_t> handle_;
};

}  // namespace musher
