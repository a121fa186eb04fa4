// Waits for something outside the process (a server's state) that nobody can signal.
#pragma once

#include <gtest/gtest.h>

#include "reactor/loop/loop.h"

namespace musher::test {

/// Looks every millisecond, at most 20 s; fails the test then. `holds` is a named lambda.
template <class F>
Task<bool> eventually(Loop& loop, F& holds) {
    const RealClock real;
    const Instant limit = real.now() + std::chrono::seconds(20);
    Cancel never;
    while (!holds()) {
        if (real.now() > limit) {
            ADD_FAILURE() << "it never happened";
            co_return false;
        }
        co_await loop.timers().sleep(milliseconds(1), never);
        loop.timers().fire_due();  // a clock may run faster than libuv's
    }
    co_return true;
}

/// Runs twenty times as fast, for what is repeated after seconds. Only with eventually().
class FastClock final : public Clock {
  public:
    Instant now() const override { return start_ + (real_.now() - start_) * 20; }
    std::int64_t wall_ms() const override { return real_.wall_ms(); }

  private:
    RealClock real_;
    Instant start_ = real_.now();
};

}  // namespace musher::test
