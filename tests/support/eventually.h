// Waits for something outside the process (a server's state) that nobody can signal.
#pragma once

#include <gtest/gtest.h>

#include "reactor/loop/loop.h"

namespace musher::test {

/// Looks every millisecond, at most 20 s; fails the test then. `holds` is a named lambda.
template <class F>
Task<void> eventually(Loop& loop, F& holds) {
    Cancel late;
    const Deadline limit(loop.timers(), late, std::chrono::seconds(20));
    while (!holds()) {
        const Result<void> slept = co_await loop.timers().sleep(milliseconds(1), late);
        if (slept) continue;
        ADD_FAILURE() << "it never happened";
        co_return;
    }
}

}  // namespace musher::test
