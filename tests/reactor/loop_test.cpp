// Loop, timers (real and manual clock), offload, poll and the clean stop.
#include <gtest/gtest.h>
#include <unistd.h>

#include "reactor/base/fd.h"
#include "reactor/loop/offload.h"
#include "reactor/loop/poll.h"
#include "tests/support/run_loop.h"

namespace musher {
namespace {

Task<void> sleep_and_offload(Loop& loop) {
    Cancel never;
    const Result<void> slept = co_await loop.timers().sleep(milliseconds(1), never);
    EXPECT_TRUE(slept.has_value());
    const auto here = std::this_thread::get_id();
    auto work = [] { return std::this_thread::get_id(); };
    const auto there = co_await offload(loop, work);
    EXPECT_TRUE(here != there);
    EXPECT_TRUE(here == std::this_thread::get_id());
}
TEST(Loop, SleepsAndOffloads) { test::on_loop(sleep_and_offload); }

Task<void> nothing(Loop&) { co_return; }
TEST(Loop, StopsCleanlyWhenNothingEverWaited) { test::on_loop(nothing); }

Task<void> deadline(Loop& loop) {
    Cancel mine;
    const Deadline limit(loop.timers(), mine, milliseconds(5));
    const Result<void> slept = co_await loop.timers().sleep(std::chrono::hours(1), mine);
    EXPECT_EQ(slept.error().code, Errc::timeout);
    EXPECT_EQ(slept.error().message, "not finished within 5ms");
}
TEST(Loop, ADeadlineEndsTheWaitWithTimeout) { test::on_loop(deadline); }

TEST(Loop, ManualClockFiresOnlyWhenAdvanced) {
    ManualClock clock;
    Loop loop(clock);
    std::string order;
    {
        Timers::Alarm late(loop.timers());
        Timers::Alarm early(loop.timers());
        late.arm(std::chrono::hours(2), [&] { order += "late "; });
        early.arm(std::chrono::hours(1), [&] { order += "early "; });
        loop.timers().fire_due();
        EXPECT_EQ(order, "");
        clock.advance(std::chrono::hours(1));
        loop.timers().fire_due();
        EXPECT_EQ(order, "early ");
        clock.advance(std::chrono::hours(1));
        loop.timers().fire_due();
        EXPECT_EQ(order, "early late ");
    }
    EXPECT_EQ(loop.close(), 0);
}

Task<void> read_pipe(Loop& loop) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) co_return;
    const Fd reader(ends[0]);
    const Fd writer(ends[1]);
    Waiters readable(loop.ready());
    auto poll = Poll::open(loop, reader.get(), "test.pipe");
    EXPECT_TRUE(poll.has_value());
    poll->start(UV_READABLE, [&](int, int) {
        poll->stop();
        readable.wake_one();
    });
    EXPECT_TRUE(write_all(writer.get(), "x").has_value());
    Cancel never;
    const Result<void> woken = co_await readable.wait(never);
    EXPECT_TRUE(woken.has_value());
}
TEST(Loop, PollSeesAPipe) { test::on_loop(read_pipe); }

Task<void> busy(Loop& loop) {
    const Watchdog::Call call(loop.watchdog(), "nested calls count once, by the outer name");
    co_return;
}
Task<void> hog(Loop& loop) {
    Cancel never;
    const Result<void> slept = co_await loop.timers().sleep(milliseconds(1), never);
    EXPECT_TRUE(slept.has_value());
    const Instant until = loop.clock().now() + milliseconds(20);
    while (loop.clock().now() < until) {
    }
    co_await busy(loop);
    Waiters turn(loop.ready());
    Timers::Alarm alarm(loop.timers());
    alarm.arm(milliseconds(1), [&] { turn.wake_one(); });
    const Result<void> woken = co_await turn.wait(never);
    EXPECT_TRUE(woken.has_value());
    EXPECT_EQ(loop.watchdog().calls_over(), 1u);
    EXPECT_EQ(loop.watchdog().offenders().begin()->first, "ready");
}
TEST(Loop, WatchdogNamesWhatHoldsTheLoop) { test::on_loop(hog); }

}  // namespace
}  // namespace musher
