// Time that a test holds: nothing passes but by its hand.
#pragma once

#include <gtest/gtest.h>

#include "reactor/loop/offload.h"

namespace musher::test {

/// Lets the loop do all it can do at this moment but wait for the pool.
inline Task<void> settle_down(Loop& loop) {
    auto nothing = [] { return 0; };
    for (int turns = 0; turns < 4; ++turns) co_await offload(loop, nothing);
}

/// Turns the loop, also for the pool's answers, until `holds()` (a named lambda); at most 20 s.
template <class F>
Task<bool> turn_until(Loop& loop, F& holds) {
    const RealClock real;
    const Instant limit = real.now() + std::chrono::seconds(20);
    while (!holds()) {
        if (real.now() > limit) {
            ADD_FAILURE() << "it never happened";
            co_return false;
        }
        co_await settle_down(loop);
    }
    co_return true;
}

}  // namespace musher::test
