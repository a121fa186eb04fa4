// Calls the loop from any thread: the only way in from outside beside the pool.
#pragma once

#include <functional>

#include "reactor/loop/loop.h"

namespace musher {

/// `ring` runs on the loop soon after signal(); several signals may become one call. Made and
/// destroyed on the loop thread, when no thread signals any more.
class Wakeup {
  public:
    /// `name` (static) is what the watchdog prints.
    Wakeup(Loop& loop, const char* name, std::function<void()> ring);
    Wakeup(const Wakeup&) = delete;

    /// Any thread.
    void signal() { uv_async_send(handle_.get()); }

  private:
    Loop& loop_;
    const char* name_;
    std::function<void()> ring_;
    UvOwner<uv_async_t> handle_;
};

}  // namespace musher
