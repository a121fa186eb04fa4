// Hours of waiting in no time, and nothing left out of them.
#include "reactor/loop/time_lapse.h"

#include <future>

#include "reactor/loop/offload.h"
#include "tests/support/run_loop.h"

namespace musher {
namespace {

using std::chrono::hours;
constexpr Duration kPatience = hours(1);  // of real time: a test that needs it has failed

Task<void> rest(Loop& loop, int span, std::string name, std::string& order) {
    Cancel never;
    const Result<void> slept = co_await loop.timers().sleep(std::chrono::hours(span), never);
    EXPECT_TRUE(slept.has_value());
    order += name;
}

Task<void> three_sleepers(Loop& loop, std::string& order) {
    Scope scope("test", loop.ready(), loop.clock());
    scope.spawn("c", rest(loop, 30, "c", order));
    scope.spawn("a", rest(loop, 1, "a", order));
    scope.spawn("b", rest(loop, 2, "b", order));
    co_await scope.join();
}

TEST(TimeLapse, TimersFireInTheirOrderAndAtTheirTimes) {
    ManualClock clock;
    Loop loop(clock);
    const Instant began = clock.now();
    const std::int64_t wall = clock.wall_ms();
    std::string order;
    int leaps = 0;
    {
        const TimeLapse lapse(loop, clock, kPatience, [&] { ++leaps; }, [] { FAIL(); });
        loop.run(three_sleepers(loop, order));
    }
    EXPECT_EQ(order, "abc");
    EXPECT_EQ(clock.now() - began, hours(30));
    EXPECT_EQ(clock.wall_ms() - wall, 30 * 3'600'000);
    EXPECT_GE(leaps, 3);
    EXPECT_EQ(loop.close(), 0);
}

/// Work on the pool that ends when the test says so.
Task<void> work(Loop& loop, std::future<void>& gate, std::string& order) {
    auto wait = [&gate] {
        gate.wait();
        return 0;
    };
    co_await offload(loop, wait);
    order += "worked ";
}

Task<void> sleeper_beside_work(Loop& loop, std::promise<void>& opener, std::future<void>& gate,
                               std::string& order) {
    Scope scope("test", loop.ready(), loop.clock());
    scope.spawn("work", work(loop, gate, order));
    scope.spawn("sleeper", rest(loop, 1, "slept ", order));
    co_await next_turn(loop.ready());
    opener.set_value();
    co_await scope.join();
}

TEST(TimeLapse, TheClockStandsWhileThePoolWorks) {
    ManualClock clock;
    Loop loop(clock);
    std::promise<void> opener;
    std::future<void> gate = opener.get_future();
    std::string order;
    {
        const TimeLapse lapse(loop, clock, kPatience, [] {}, [] { FAIL(); });
        loop.run(sleeper_beside_work(loop, opener, gate, order));
    }
    EXPECT_EQ(order, "worked slept ");
    EXPECT_EQ(loop.close(), 0);
}

Task<void> deadline_beside_work(Loop& loop, std::promise<void>& opener, std::future<void>& gate,
                                std::string& order) {
    Scope scope("test", loop.ready(), loop.clock());
    scope.spawn("work", work(loop, gate, order));
    co_await rest(loop, 1, "deadline ", order);
    opener.set_value();
    co_await scope.join();
}

TEST(TimeLapse, PatienceEndsAndThenDeadlinesAreMet) {
    ManualClock clock;
    Loop loop(clock);
    std::promise<void> opener;
    std::future<void> gate = opener.get_future();
    std::string order;
    bool tired = false;
    {
        const TimeLapse lapse(loop, clock, milliseconds(1), [] {}, [&] { tired = true; });
        loop.run(deadline_beside_work(loop, opener, gate, order));
    }
    EXPECT_TRUE(tired);
    EXPECT_EQ(order, "deadline worked ");
    EXPECT_EQ(loop.close(), 0);
}

}  // namespace
}  // namespace musher
