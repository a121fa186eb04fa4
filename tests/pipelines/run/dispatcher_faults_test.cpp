// What one job does to the others: cancelled alone, a fault of its own, a full queue, a long sleep
// of the process, a stop while some still run.
#include <ctime>

#include "tests/pipelines/run/fixture.h"
#include "tests/support/eventually.h"

namespace musher {
namespace {

using test::Workshop;

Task<void> start_both(Loop& loop, Workshop& shop, Scope& scope, Cancel& stop) {
    co_await shop.store("1");
    co_await shop.store("2");
    co_await shop.start(scope, stop);
    auto running = [&shop] { return shop.dispatcher().running() == 2; };
    co_await test::eventually(loop, running);
}

Task<void> cancels_one_of_a_claim(Loop& loop) {
    Workshop shop(loop);
    shop.endless("long", Duration(0));
    Scope scope("test", loop.ready(), loop.clock());
    Cancel stop;
    co_await start_both(loop, shop, scope, stop);
    Cancel never;
    const Result<JobState> asked = co_await shop.queue().cancel_job("1", never);
    EXPECT_TRUE(asked.has_value());
    shop.dispatcher().beat();
    co_await shop.ends(1);
    EXPECT_EQ(shop.dispatcher().running(), 1u) << "jobs of one claim share its token";
    const auto other = co_await shop.queue().show("2", never);
    EXPECT_EQ(other->state, JobState::running);
    stop.request();
    co_await scope.join();
    co_await shop.close();
    EXPECT_EQ(shop.counts().cancelled, 1u);
}
TEST(DispatcherFaults, ACancelEndsTheOneJobOnly) { test::on_loop(cancels_one_of_a_claim); }

Task<void> sleeps_and_goes_on(Loop& loop) {
    QueueOptions options;
    options.lease = milliseconds(20);
    Workshop shop(loop, options);
    shop.endless("long", Duration(0));
    Scope scope("test", loop.ready(), loop.clock());
    Cancel stop;
    co_await start_both(loop, shop, scope, stop);
    // As SIGSTOP or the move of a virtual machine would have it: nothing runs, time goes on.
    const Instant asleep = loop.clock().now();
    while (loop.clock().now() - asleep < milliseconds(30)) {
    }
    shop.dispatcher().tick();
    const Instant later = loop.clock().now() + milliseconds(10);
    auto looked = [&] { return loop.clock().now() > later; };
    co_await test::eventually(loop, looked);
    Cancel never;
    const auto row = co_await shop.queue().show("1", never);
    EXPECT_EQ(row->attempt, 1) << "it took its own job away from itself";
    EXPECT_EQ(shop.dispatcher().running(), 2u);
    stop.request();
    co_await scope.join();
    co_await shop.close();
}
TEST(DispatcherFaults, AfterALongSleepItsJobsAreStillItsOwn) { test::on_loop(sleeps_and_goes_on); }

Task<void> one_bad_folder(Loop& loop) {
    Workshop shop(loop);
    shop.config().limits.attempts = 2;
    shop.config().limits.parallel = 1;
    std::string order;
    shop.step("sink", true, [&](StepContext& context) -> Result<StepResult> {
        order += context.job;
        if (context.job == "1") return fail(Errc::denied, "its folder is a file");
        StepResult result;
        result.receipt.emplace();
        return result;
    });
    Scope scope("test", loop.ready(), loop.clock());
    Cancel stop;
    for (int id = 1; id <= 3; ++id) co_await shop.store(std::to_string(id));
    co_await shop.start(scope, stop);
    co_await shop.ends(3);
    stop.request();
    co_await scope.join();
    co_await shop.close();
    EXPECT_EQ(shop.counts().done, 2u);
    EXPECT_EQ(shop.counts().dead, 1u) << order;
    EXPECT_FALSE(shop.dispatcher().hold().active());
    EXPECT_EQ(order.substr(0, 2), "12") << "another job is the probe";
}
TEST(DispatcherFaults, AJobWithItsOwnFaultInASinkHoldsNobodyUp) { test::on_loop(one_bad_folder); }

/// Small files still fit on the disk; the large one comes again until it does.
Task<void> one_large_file(Loop& loop) {
    Workshop shop(loop);
    shop.config().limits.attempts = 2;
    shop.config().limits.parallel = 1;
    int tries = 0;
    shop.step("sink", true, [&](StepContext& context) -> Result<StepResult> {
        if (context.job == "1" && ++tries < 6) return fail(Errc::full, "no space left");
        StepResult result;
        result.receipt.emplace();
        return result;
    });
    Scope scope("test", loop.ready(), loop.clock());
    Cancel stop;
    co_await shop.store("1");
    co_await shop.start(scope, stop);
    std::size_t others = 0;
    while (tries < 6) {
        ++others;
        co_await shop.put(std::to_string(others + 1));
        co_await shop.ends(others);
    }
    stop.request();
    co_await scope.join();
    co_await shop.close();
    EXPECT_EQ(shop.counts().dead, 0u);
    EXPECT_FALSE(shop.dispatcher().hold().active());
}
TEST(DispatcherFaults, AJobThatFindsNoRoomWhileOthersDoSpendsNoTry) {
    test::on_loop(one_large_file);
}

Task<void> dies_in_a_full_queue(Loop& loop) {
    QueueOptions options;
    options.waiting = 3;
    Workshop shop(loop, options);
    shop.config().limits.attempts = 1;
    shop.config().limits.parallel = 1;
    int alarms = 0;
    Waiters go(loop.ready());
    shop.waits_for("gate", "1", go);
    shop.step("fails", false,
              [](StepContext&) -> Result<StepResult> { return fail(Errc::failed, "no"); });
    shop.on_failure("alarm", [&](StepContext&) {
        ++alarms;
        return StepResult();
    });
    Scope scope("test", loop.ready(), loop.clock());
    Cancel stop;
    co_await shop.store("1");
    co_await shop.start(scope, stop);
    auto running = [&shop] { return shop.dispatcher().running() == 1; };
    co_await test::eventually(loop, running);
    // What the intake does: each place is taken as soon as a claim frees it.
    for (int id = 11; id <= 13; ++id) {
        co_await shop.store(std::to_string(id), "", std::chrono::hours(1));
    }
    go.wake_all();
    co_await shop.ends(2);
    stop.request();
    co_await scope.join();
    co_await shop.close();
    EXPECT_EQ(alarms, 1);
    EXPECT_EQ(shop.counts().dead, 1u);
}
TEST(DispatcherFaults, AFullQueueStillTakesTheAlarm) { test::on_loop(dies_in_a_full_queue); }

Task<void> alarms_while_the_queue_is_away(Loop& loop) {
    Workshop shop(loop);
    shop.config().limits.attempts = 1;
    int asked = 0, attempt = 0;
    shop.step("fails", false,
              [](StepContext&) -> Result<StepResult> { return fail(Errc::failed, "no"); });
    shop.on_failure("alarm", [&](StepContext& context) {
        attempt = context.attempt;
        return StepResult();
    });
    shop.away().away = [&asked] { return ++asked <= 2; };
    Scope scope("test", loop.ready(), loop.clock());
    Cancel stop;
    co_await shop.store("1");
    co_await shop.start(scope, stop);
    co_await shop.ends(2);
    stop.request();
    co_await scope.join();
    co_await shop.close();
    EXPECT_EQ(asked, 3);
    EXPECT_EQ(attempt, 1) << "the alarm paid for the queue";
    EXPECT_EQ(shop.counts().dead, 1u);
}
TEST(DispatcherFaults, AQueueThatIsAwayCostsTheAlarmNoTry) {
    test::on_loop(alarms_while_the_queue_is_away);
}

Task<void> one_ends_while_it_stops(Loop& loop) {
    Workshop shop(loop);
    Waiters go(loop.ready());
    shop.waits_for("gate", "1", go);
    Scope scope("test", loop.ready(), loop.clock());
    Cancel stop;
    co_await start_both(loop, shop, scope, stop);
    stop.request();
    go.wake_all();
    co_await shop.ends(1);  // told to the queue while the other one still has its grace
    EXPECT_EQ(shop.dispatcher().running(), 1u);
    Cancel never;
    const auto row = co_await shop.queue().show("1", never);
    EXPECT_EQ(row->state, JobState::done);
    co_await scope.join();
    co_await shop.close();
}
TEST(DispatcherFaults, WhatEndsDuringAStopIsToldAtOnce) { test::on_loop(one_ends_while_it_stops); }

std::chrono::nanoseconds cpu_time() {
    timespec spent{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
    return std::chrono::seconds(spent.tv_sec) + std::chrono::nanoseconds(spent.tv_nsec);
}

Task<void> waits_without_spinning(Loop& loop) {
    Workshop shop(loop);
    shop.config().limits.parallel = 1;
    shop.endless("long", Duration(0));
    Scope scope("test", loop.ready(), loop.clock());
    Cancel stop;
    co_await shop.store("1");
    co_await shop.start(scope, stop);
    auto running = [&shop] { return shop.dispatcher().running() == 1; };
    co_await test::eventually(loop, running);
    co_await shop.store("due", "", milliseconds(1));
    shop.dispatcher().wake();
    const auto before = cpu_time();
    const Instant later = loop.clock().now() + milliseconds(300);
    auto passed = [&] { return loop.clock().now() > later; };
    co_await test::eventually(loop, passed);
    EXPECT_LT(cpu_time() - before, milliseconds(100)) << "it span";
    stop.request();
    co_await scope.join();
    co_await shop.close();
}
TEST(DispatcherFaults, ADueJobWithoutAFreeSlotCostsNothing) {
    test::on_loop(waits_without_spinning);
}

/// Two attempts may overlap: the first one's reactor was taken for dead and is not.
Task<void> two_attempts_write(Loop& loop) {
    Workshop shop(loop);
    std::vector<std::string> rooms;
    shop.step("writes", false, [&](StepContext& context) -> Result<StepResult> {
        rooms.push_back(context.scratch);
        if (context.attempt == 1) return fail(Errc::failed, "again");
        return StepResult();
    });
    Scope scope("test", loop.ready(), loop.clock());
    Cancel stop;
    co_await shop.store("1");
    co_await shop.start(scope, stop);
    co_await shop.ends(1);
    stop.request();
    co_await scope.join();
    co_await shop.close();
    EXPECT_EQ(rooms.size(), 2u);
    EXPECT_NE(rooms.front(), rooms.back());
}
TEST(DispatcherFaults, EachAttemptHasAScratchFolderOfItsOwn) { test::on_loop(two_attempts_write); }

}  // namespace
}  // namespace musher
