// A timer's days under a clock that jumps, without a file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reactor/base/uuid.h"
#include "tests/support/run_loop.h"
#include "tests/support/timer_life.h"

namespace musher {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using test::TimerLife;
using testing::ElementsAre;
using testing::IsEmpty;
using Words = std::vector<std::string>;

void at(const char* time, Task<void> (*body)(Loop&, ManualClock&)) {
    ManualClock clock;
    clock.set_wall(parse_time(time).value());
    test::on_loop_with(clock, *body, clock);
}

Task<void> multiples(Loop& loop, ManualClock& clock) {
    TimerLife life(loop, clock, "{ every: 10s }");
    const Words due = co_await life.pass(seconds(27));
    EXPECT_THAT(due, ElementsAre("12:00:10", "12:00:20", "12:00:30"));
    const Event& event = life.events.front();
    EXPECT_EQ(event.kind, "timer");
    EXPECT_EQ(*event.facts, (Json{{"due", "2026-03-28T12:00:10.000Z"}}));
    EXPECT_EQ(event.date, "2026-03-28");
    EXPECT_EQ(event.id, uuid_of("timer ticks 2026-03-28T12:00:10.000Z")) << "for all reactors";
    EXPECT_TRUE(event.file.empty());
    const Json status = life.source().status();
    EXPECT_EQ(status["ok"], Json(true));
    EXPECT_EQ(status["detail"], Json("next at 2026-03-28T12:00:40.000Z"));
    EXPECT_EQ(status["next"], Json("2026-03-28T12:00:40.000Z"));
    co_await life.stop();
}
TEST(Timer, FiresAtTheMultiplesOfItsInterval) { at("2026-03-28T12:00:05Z", multiples); }

Task<void> local_date(Loop& loop, ManualClock& clock) {
    TimerLife life(loop, clock, "{ cron: '30 0 * * *' }");
    co_await life.pass(minutes(31));
    EXPECT_EQ(life.events.size(), 1u);
    EXPECT_EQ(life.events.front().facts->at("due"), Json("2026-03-28T23:30:00.000Z"));
    EXPECT_EQ(life.events.front().date, "2026-03-29") << "of its zone";
    co_await life.stop();
}
TEST(Timer, TakesTheZoneOfTheConfiguration) { at("2026-03-28T23:00:00Z", local_date); }

Task<void> own_zone(Loop& loop, ManualClock& clock) {
    TimerLife life(loop, clock, "{ cron: '0 8 * * *', timezone: Asia/Tokyo }");
    const Words due = co_await life.pass(minutes(31));
    EXPECT_THAT(due, ElementsAre("23:00:00"));
    EXPECT_EQ(life.events.front().date, "2026-03-29");
    co_await life.stop();
}
TEST(Timer, TakesAZoneOfItsOwn) { at("2026-03-28T22:30:00Z", own_zone); }

Task<void> forward_once(Loop& loop, ManualClock& clock) {
    TimerLife life(loop, clock, "{ every: 1m }");
    const Words first = co_await life.pass(minutes(1));
    EXPECT_THAT(first, ElementsAre("12:01:00"));
    clock.set_wall(parse_time("2026-03-28T17:20:30Z").value());
    const Words late = co_await life.pass(seconds(20));
    EXPECT_THAT(late, ElementsAre("17:20:00")) << "seen without a timer that was due, and once";
    const Words after = co_await life.pass(minutes(2));
    EXPECT_THAT(after, ElementsAre("17:21:00", "17:22:00"));
    co_await life.stop();
}
TEST(Timer, MakesUpOnceForAClockThatWasSetForward) { at("2026-03-28T12:00:10Z", forward_once); }

Task<void> forward_daily(Loop& loop, ManualClock& clock) {
    TimerLife once(loop, clock, "{ cron: '0 13 * * *', timezone: UTC }");
    TimerLife skip(loop, clock, "{ cron: '0 13 * * *', timezone: UTC, missed: skip }");
    co_await test::settle_down(loop);
    clock.set_wall(parse_time("2026-04-02T18:00:00Z").value());
    const Words made_up = co_await once.pass(seconds(20));
    EXPECT_THAT(made_up, ElementsAre("13:00:00"));
    EXPECT_EQ(once.events.front().facts->at("due"), Json("2026-04-02T13:00:00.000Z"))
        << "the latest";
    const Words skipped = co_await skip.pass(seconds(20));
    EXPECT_THAT(skipped, IsEmpty());
    EXPECT_EQ(skip.source().status()["next"], Json("2026-04-03T13:00:00.000Z"));
    co_await once.stop();
    co_await skip.stop();
}
TEST(Timer, FollowsItsPolicyWhenTheClockIsSetForward) { at("2026-03-28T12:00:00Z", forward_daily); }

Task<void> backward(Loop& loop, ManualClock& clock) {
    TimerLife life(loop, clock, "{ every: 1m }");
    const Words first = co_await life.pass(minutes(2));
    EXPECT_THAT(first, ElementsAre("12:01:00", "12:02:00"));
    clock.set_wall(parse_time("2026-03-28T12:01:40Z").value());
    const Words slack = co_await life.pass(seconds(90));
    EXPECT_THAT(slack, ElementsAre("12:03:00")) << "12:02 has fired";
    clock.set_wall(parse_time("2026-03-28T09:59:50Z").value());
    const Words back = co_await life.pass(minutes(2));
    EXPECT_THAT(back, ElementsAre("10:00:00", "10:01:00")) << "not silent until 12:04";
    clock.set_wall(parse_time("2026-03-28T11:59:40Z").value());
    const Words again = co_await life.pass(seconds(85));
    EXPECT_THAT(again, ElementsAre("11:59:00", "12:00:00", "12:01:00"));
    EXPECT_EQ(life.events.back().id, life.events.front().id) << "which the queue knows";
    co_await life.stop();
}
TEST(Timer, GoesOnWhenTheClockIsSetBack) { at("2026-03-28T12:00:10Z", backward); }

Task<void> pauses(Loop& loop, ManualClock& clock) {
    TimerLife once(loop, clock, "{ every: 10s }");
    TimerLife skip(loop, clock, "{ every: 10s, missed: skip }");
    for (TimerLife* life : {&once, &skip}) {
        life->source().pause(PauseReason::ordered);
        life->source().pause(PauseReason::queue_full);
    }
    const Words silent = co_await once.pass(seconds(42));
    const Words too = co_await skip.pass(Duration(0));
    EXPECT_THAT(silent, IsEmpty());
    EXPECT_THAT(too, IsEmpty());
    EXPECT_EQ(once.source().status()["detail"], Json("paused"));
    for (TimerLife* life : {&once, &skip}) {
        life->source().resume();
        life->source().resume();
    }
    const Words made_up = co_await once.pass(Duration(0));
    EXPECT_THAT(made_up, ElementsAre("12:00:40"));
    const Words skipped = co_await skip.pass(Duration(0));
    EXPECT_THAT(skipped, IsEmpty());
    const Words next = co_await once.pass(seconds(10));
    EXPECT_THAT(next, ElementsAre("12:00:50"));
    const Words also = co_await skip.pass(Duration(0));
    EXPECT_THAT(also, ElementsAre("12:00:50"));
    co_await once.stop();
    co_await skip.stop();
}
TEST(Timer, FollowsItsPolicyAfterAPause) { at("2026-03-28T12:00:05Z", pauses); }

Task<void> kept_waiting(Loop& loop, ManualClock& clock) {
    TimerLife life(loop, clock, "{ every: 10s }", "", 1);
    life.answers = false;
    co_await life.pass(minutes(30));
    EXPECT_EQ(life.out().size(), 1u) << "one on its way, no more";
    life.answers = true;
    const Words due = co_await life.pass(Duration(0));
    EXPECT_THAT(due, ElementsAre("12:00:10", "12:30:00")) << "then the latest";
    co_await life.stop();
}
TEST(Timer, MakesNoStormAfterAQueueThatWasFull) { at("2026-03-28T12:00:05Z", kept_waiting); }

Task<void> refused(Loop& loop, ManualClock& clock) {
    TimerLife life(loop, clock, "{ cron: '1 12 * * *', timezone: UTC }");
    life.refuses = true;
    const Words due = co_await life.pass(minutes(5));
    EXPECT_GE(due.size(), 3u) << "again and again";
    EXPECT_LT(due.size(), 100u) << "with pauses";
    EXPECT_EQ(life.source().status()["ok"], Json(false));
    life.refuses = false;
    const Words accepted = co_await life.pass(minutes(5));
    EXPECT_THAT(accepted, ElementsAre("12:01:00"));
    for (const Event& event : life.events) EXPECT_EQ(event.id, life.events.front().id);
    EXPECT_EQ(life.source().status()["ok"], Json(true));
    co_await life.stop();
}
TEST(Timer, BringsAgainWhatWasRefused) { at("2026-03-28T12:00:05Z", refused); }

Task<void> delayed(Loop& loop, ManualClock& clock) {
    TimerLife life(loop, clock, "{ every: 1m, jitter: 10m }");
    TimerLife other(loop, clock, "{ every: 1m, jitter: 10m }");
    std::set<std::int64_t> delays;
    Words came;
    for (int i = 0; i < 1200; ++i) {
        const Words due = co_await life.pass(milliseconds(500));
        if (due.empty()) continue;
        came.push_back(due.front());
        delays.insert(clock.wall_ms() % 60'000 / 500);
        const Words same = co_await other.pass(Duration(0));
        EXPECT_EQ(same, due) << "at the same moment";
    }
    EXPECT_THAT(came, ElementsAre("12:01:00", "12:02:00", "12:03:00", "12:04:00", "12:05:00",
                                  "12:06:00", "12:07:00", "12:08:00", "12:09:00", "12:10:00"))
        << "each before the next is due";
    EXPECT_GT(delays.size(), 5u);
    co_await life.stop();
    co_await other.stop();
}
TEST(Timer, FiresLaterByThePartOfItsJitterThatAllAgreeOn) { at("2026-03-28T12:00:59Z", delayed); }

Task<void> missed_jitter(Loop& loop, ManualClock& clock) {
    TimerLife life(loop, clock, "{ every: 1h, jitter: 1h }");
    clock.set_wall(parse_time("2026-03-29T12:00:00.001Z").value());
    const Words due = co_await life.pass(seconds(20));
    EXPECT_THAT(due, ElementsAre("11:00:00")) << "the one of noon waits for its jitter";
    const Words noon = co_await life.pass(minutes(60));
    EXPECT_THAT(noon, ElementsAre("12:00:00"));
    co_await life.stop();
}
TEST(Timer, MissesNothingThatStillWaitsForItsJitter) { at("2026-03-28T11:59:59Z", missed_jitter); }

Task<void> lost(Loop& loop, ManualClock& clock) {
    TimerLife life(loop, clock, "{ every: 10m }");
    co_await life.pass(minutes(10));
    EXPECT_EQ(life.events.size(), 1u);
    life.ledger.known[life.events[0].id] = Presence::done;
    life.source().recheck();
    const Words known = co_await life.pass(seconds(1));
    EXPECT_THAT(known, IsEmpty());
    life.ledger.known.clear();
    life.source().recheck();
    const Words again = co_await life.pass(seconds(1));
    EXPECT_THAT(again, ElementsAre("12:10:00"));
    EXPECT_EQ(life.events[0].id, life.events[1].id);
    co_await life.stop();
}
TEST(Timer, BringsAgainWhatTheQueueForgot) { at("2026-03-28T12:00:05Z", lost); }

Task<void> rarely(Loop& loop, ManualClock& clock) {
    TimerLife life(loop, clock, "{ cron: '0 0 29 2 *', timezone: UTC }");
    co_await life.pass(seconds(1));
    EXPECT_EQ(life.source().status()["next"], Json("2028-02-29T00:00:00.000Z"));
    const std::vector<Settlement> none;
    Cancel never;
    std::vector<Settlement> ended{test::settlement_of(Event(), Outcome::dead)};
    const Result<void> settled = co_await life.source().settle(ended, never);
    EXPECT_TRUE(settled && ended.empty());
    const Result<void> recalled = co_await life.source().recall(Event(), never);
    EXPECT_TRUE(recalled.has_value());
    const Why why = co_await life.source().why("/srv/in/a", never);
    EXPECT_EQ(why.state, "") << "not mine";
    const std::vector<Problem> problems = co_await life.source().probe(never);
    EXPECT_TRUE(problems.empty());
    co_await life.stop();
}
TEST(Timer, HasNothingOutsideToSettle) { at("2026-03-28T12:00:05Z", rarely); }

}  // namespace
}  // namespace musher
