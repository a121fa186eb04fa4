// What a timer knows of the time before its start.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/run_loop.h"
#include "tests/support/temp_dir.h"
#include "tests/support/timer_life.h"

namespace musher {
namespace {

namespace fs = std::filesystem;
using std::chrono::minutes;
using std::chrono::seconds;
using test::TimerLife;
using testing::ElementsAre;
using testing::IsEmpty;
using Words = std::vector<std::string>;

struct Home {
    ManualClock clock;
    test::TempDir dir;
    std::string state = dir / "state";
    std::string file = state + "/timers/ticks";
    std::string kept() const {
        std::ifstream file_in(file);
        return {std::istreambuf_iterator<char>(file_in), {}};
    }
    void set(const char* time) { clock.set_wall(parse_time(time).value()); }
};

class TimerRestart : public testing::Test {
  protected:
    void over(Task<void> (*body)(Loop&, Home&)) {
        Home home;
        home.set("2026-03-28T12:00:05Z");
        test::on_loop_with(home.clock, *body, home);
    }
};

/// Until the file says so, which is when the timer has done all it can do at this moment. Takes
/// what comes meanwhile: the disk may take longer to answer than the held clock to go on.
Task<void> knows(Loop& loop, Home& home, TimerLife& life, std::string time) {
    const auto written = [&] { return home.kept().find(time) != std::string::npos; };
    const auto moved = [&] { return life.out().size() > 0 || written(); };
    co_await test::turn_until(loop, moved);
    co_await life.take();
    co_await test::turn_until(loop, written);
    co_await test::settle_down(loop);
}

/// One life from now on; the due times that fire in it until the file says `known`.
Task<Words> live(Loop& loop, Home& home, std::string yaml, Duration span, std::string known) {
    TimerLife life(loop, home.clock, yaml, home.state);
    const auto started = [&life] { return life.source().status().contains("next"); };
    co_await test::turn_until(loop, started);
    co_await life.pass(span);
    co_await knows(loop, home, life, known);
    co_await life.stop();
    co_return life.dues();
}

Task<void> once(Loop& loop, Home& home) {
    const Words first = co_await live(loop, home, "{ every: 10m }", Duration(0), "12:00:05");
    EXPECT_THAT(first, IsEmpty()) << "nothing is missed before the first start";
    home.set("2026-03-28T15:17:00Z");
    const Words late = co_await live(loop, home, "{ every: 10m }", Duration(0), "15:10:00");
    EXPECT_THAT(late, ElementsAre("15:10:00")) << "not even one has fired before";
    const Words again = co_await live(loop, home, "{ every: 10m }", Duration(0), "15:10:00");
    EXPECT_THAT(again, IsEmpty()) << "that one has";
    home.set("2026-03-28T15:19:59Z");
    const Words next = co_await live(loop, home, "{ every: 10m }", seconds(2), "15:20:00");
    EXPECT_THAT(next, ElementsAre("15:20:00"));
}
TEST_F(TimerRestart, MakesUpForTheLatestOfWhatWasMissed) { over(once); }

Task<void> skip(Loop& loop, Home& home) {
    const std::string yaml = "{ every: 10m, missed: skip }";
    co_await live(loop, home, yaml, Duration(0), "12:00:05");
    home.set("2026-03-28T15:10:01Z");
    const Words none = co_await live(loop, home, yaml, Duration(0), "15:10:01");
    EXPECT_THAT(none, IsEmpty());
    const Words next = co_await live(loop, home, yaml, minutes(10), "15:20:00");
    EXPECT_THAT(next, ElementsAre("15:20:00"));
}
TEST_F(TimerRestart, SkipsWhatWasMissed) { over(skip); }

Task<void> edited(Loop& loop, Home& home) {
    co_await live(loop, home, "{ cron: '0 0 * * *' }", Duration(0), "12:00:05");
    home.set("2026-03-28T15:00:00Z");
    const Words none = co_await live(loop, home, "{ cron: '0 14 * * *' }", Duration(0), "15:00:00");
    EXPECT_THAT(none, IsEmpty()) << "at 14:00 it had another schedule";
    home.set("2026-03-29T15:00:00Z");
    const Words late =
        co_await live(loop, home, "{ cron: '0 14 * * *', jitter: 1s }", Duration(0), "12:00:00");
    EXPECT_THAT(late, ElementsAre("12:00:00"));
}
TEST_F(TimerRestart, MissesNothingOfAScheduleThatIsNew) { over(edited); }

Task<void> killed(Loop& loop, Home& home) {
    co_await live(loop, home, "{ every: 10m }", Duration(0), "12:00:05");
    const std::string before = home.kept();
    home.set("2026-03-28T12:09:59Z");
    const Words fired = co_await live(loop, home, "{ every: 10m }", seconds(2), "12:10:00");
    EXPECT_THAT(fired, ElementsAre("12:10:00"));
    std::ofstream(home.file) << before;  // as if kill -9 had come before it was written
    const Words again = co_await live(loop, home, "{ every: 10m }", Duration(0), "12:10:00");
    EXPECT_THAT(again, ElementsAre("12:10:00")) << "which has the id that the queue knows";
}
TEST_F(TimerRestart, FiresAgainUnderTheSameIdWhenItWasKilled) { over(killed); }

Task<void> wrong_clock(Loop& loop, Home& home) {
    home.set("2031-01-01T00:00:05Z");
    co_await live(loop, home, "{ every: 10m }", Duration(0), "2031-01-01");
    home.set("2026-03-28T12:00:05Z");
    const Words due = co_await live(loop, home, "{ every: 10m }", minutes(10), "12:10:00");
    EXPECT_THAT(due, ElementsAre("12:10:00")) << "not silent until 2031";
}
TEST_F(TimerRestart, GoesOnAfterALifeWithAWrongClock) { over(wrong_clock); }

Task<void> no_room(Loop& loop, Home& home) {
    TimerLife life(loop, home.clock, "{ every: 10m }", home.state);
    co_await knows(loop, home, life, "12:00:05");
    fs::rename(home.state, home.dir / "away");
    std::ofstream(home.state) << "in the way";
    const Words due = co_await life.pass(minutes(10));
    EXPECT_THAT(due, ElementsAre("12:10:00")) << "it fires all the same";
    const auto unwell = [&life] { return !life.source().status().value("ok", true); };
    co_await test::turn_until(loop, unwell);
    fs::remove(home.state);
    fs::rename(home.dir / "away", home.state);
    co_await life.pass(seconds(11));
    co_await knows(loop, home, life, "12:10:00");
    const auto fine = [&life] { return life.source().status().value("ok", false); };
    co_await test::turn_until(loop, fine);
    co_await life.stop();
}
TEST_F(TimerRestart, FiresWhileItCannotWriteAndWritesWhenItCan) { over(no_room); }

Task<void> broken(Loop& loop, Home& home) {
    fs::create_directories(home.state + "/timers");
    std::ofstream(home.file) << "{ half a li";
    const Words due = co_await live(loop, home, "{ every: 10m }", minutes(10), "12:10:00");
    EXPECT_THAT(due, ElementsAre("12:10:00"));
}
TEST_F(TimerRestart, StartsAnewFromAFileThatIsNotReadable) { over(broken); }

}  // namespace
}  // namespace musher
