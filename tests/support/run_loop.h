// Runs one coroutine on a fresh loop and proves the clean stop.
#pragma once

#include <gtest/gtest.h>

#include "reactor/loop/loop.h"

namespace musher::test {

template <class F, class... Args>
void on_loop_with(Clock& clock, F& body, Args&... args) {
    Loop loop(clock);
    loop.run(body(loop, args...));
    EXPECT_EQ(loop.close(), 0) << "a libuv handle was leaked";
}
/// `body` is a plain function or named lambda returning Task<void> from (Loop&, args…).
/// Fails the test when uv_loop_close() is not 0.
template <class F, class... Args>
void on_loop(F& body, Args&... args) {
    RealClock clock;
    on_loop_with(clock, body, args...);
}

}  // namespace musher::test
