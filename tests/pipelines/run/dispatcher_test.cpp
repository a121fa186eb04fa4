// How jobs run and end: receipts, retries, dead, hold, cancel, timeout, on_failure, clean stop.
#include "pipelines/run/settlement.h"
#include "tests/pipelines/run/fixture.h"
#include "tests/support/eventually.h"

namespace musher {
namespace {

using test::Workshop;

StepResult receipt(const std::string& target) {
    StepResult result;
    result.receipt.emplace();
    result.receipt->target = target;
    return result;
}

Task<void> runs_in_order(Loop& loop) {
    Workshop shop(loop);
    std::string order;
    shop.step("a", false, [&](StepContext&) {
        order += "a";
        return StepResult();
    });
    shop.step("b", true, [&](StepContext&) {
        order += "b";
        return receipt("there");
    });
    Scope scope("test", loop.ready(), loop.clock());
    Cancel stop;
    co_await shop.start(scope, stop);
    co_await shop.put("1");
    co_await shop.put("2");
    co_await shop.ends(2);
    stop.request();
    co_await scope.join();
    co_await shop.close();
    EXPECT_EQ(order, "abab");
    EXPECT_EQ(shop.counts().done, 2u);
    Cancel never;
    const auto row = co_await shop.queue().show("1", never);
    EXPECT_EQ(row->state, JobState::done);
    EXPECT_EQ(row->receipts.size(), 1u);
}
TEST(Dispatcher, RunsStepsInOrderAndRecordsTheEnd) { test::on_loop(runs_in_order); }

Task<void> retries_then_dies(Loop& loop) {
    Workshop shop(loop);
    int tries = 0;
    int effects = 0;
    int alarms = 0;
    shop.config().limits.attempts = 3;
    shop.step("effect", true, [&](StepContext&) {
        ++effects;
        return receipt("x");
    });
    shop.step("breaks", false, [&](StepContext& context) -> Result<StepResult> {
        ++tries;
        EXPECT_EQ(context.attempt, tries);
        return fail(Errc::failed, "not today");
    });
    shop.on_failure("alarm", [&](StepContext&) {
        ++alarms;
        return StepResult();
    });
    Scope scope("test", loop.ready(), loop.clock());
    Cancel stop;
    co_await shop.start(scope, stop);
    co_await shop.put("1");
    co_await shop.ends(2);  // the job, and its on_failure job
    stop.request();
    co_await scope.join();
    Cancel never;
    const auto alarm = co_await shop.queue().show(on_failure_id("1"), never);
    EXPECT_LT(alarm->ended_ms, alarm->job.due_ms) << "its parent's end did not make it due";
    co_await shop.close();
    EXPECT_EQ(tries, 3);
    EXPECT_EQ(effects, 1) << "a step with a receipt ran again";
    EXPECT_EQ(alarms, 1);
    EXPECT_EQ(shop.ended[0].outcome, Outcome::dead);
    EXPECT_EQ(shop.ended[0].error.message, "not today");
    EXPECT_EQ(shop.ended[0].report["error"]["code"], "failed");
    int failures = 0;
    for (const Json& line : shop.ended[0].report["story"]) failures += line["what"] == "failed";
    EXPECT_EQ(failures, 3) << "the report tells of every attempt";
    EXPECT_EQ(shop.counts().retried, 2u);
}
TEST(Dispatcher, RetriesSkipReceiptsAndTheLastOneRaisesOnFailure) {
    test::on_loop(retries_then_dies);
}

Task<void> holds_and_recovers(Loop& loop) {
    Workshop shop(loop);
    int calls = 0;
    shop.config().limits.attempts = 2;
    shop.step("sink", true, [&](StepContext&) -> Result<StepResult> {
        if (++calls <= 3) return fail(Errc::unavailable, "connection refused");
        return receipt("ok");
    });
    Scope scope("test", loop.ready(), loop.clock());
    Cancel stop;
    co_await shop.start(scope, stop);
    co_await shop.put("1");
    co_await shop.put("2");
    Cancel enough;
    const Deadline deadline(loop.timers(), enough, milliseconds(50));
    const Result<void> slept = co_await loop.timers().sleep(std::chrono::hours(1), enough);
    EXPECT_FALSE(slept.has_value());
    EXPECT_TRUE(shop.dispatcher().hold().active());
    EXPECT_EQ(shop.dispatcher().hold().sink(), "sink");
    EXPECT_TRUE(shop.ended.empty());
    co_await shop.ends(2);
    EXPECT_FALSE(shop.dispatcher().hold().active());
    stop.request();
    co_await scope.join();
    const auto row = co_await shop.queue().show("1", enough);
    EXPECT_EQ(row->story.size(), 2u) << row->story;
    EXPECT_EQ(row->story.front().value("what", ""), "held") << row->story;
    EXPECT_EQ(row->story.front().value("detail", ""), "connection refused");
    EXPECT_EQ(row->story.back().value("attempt", 0), 1) << "no try was spent";
    co_await shop.close();
    EXPECT_EQ(shop.counts().retried, 0u) << "a hold spent a try";
}
TEST(Dispatcher, ABrokenSinkHoldsThePipelineAndSpendsNoTry) { test::on_loop(holds_and_recovers); }

Task<void> waits_as_asked(Loop& loop) {
    Workshop shop(loop);
    constexpr milliseconds kAsked{2500};  // longer than any first pause of a hold
    std::vector<Instant> calls;
    shop.step("sink", true, [&](StepContext&) -> Result<StepResult> {
        calls.push_back(loop.clock().now());
        if (calls.size() > 1) return receipt("ok");
        Error busy(Errc::unavailable, "answered 429");
        busy.retry_after = kAsked;
        return fail(std::move(busy));
    });
    Scope scope("test", loop.ready(), loop.clock());
    Cancel stop;
    co_await shop.start(scope, stop);
    co_await shop.put("1");
    co_await shop.ends(1);
    EXPECT_EQ(calls.size(), 2u);
    EXPECT_GE(calls.back() - calls.front(), kAsked);
    stop.request();
    co_await scope.join();
    co_await shop.close();
}
TEST(Dispatcher, AHoldLastsAsLongAsTheServerAskedFor) { test::on_loop(waits_as_asked); }

Task<void> step_times_out(Loop& loop) {
    Workshop shop(loop);
    shop.config().limits.attempts = 1;
    shop.endless("slow", milliseconds(5));
    Scope scope("test", loop.ready(), loop.clock());
    Cancel stop;
    co_await shop.start(scope, stop);
    co_await shop.put("1");
    co_await shop.ends(1);
    EXPECT_EQ(shop.ended[0].error.code, Errc::timeout);
    stop.request();
    co_await scope.join();
    co_await shop.close();
}
TEST(Dispatcher, AStepEndsAtItsTimeout) { test::on_loop(step_times_out); }

Task<void> stop_releases(Loop& loop) {
    Workshop shop(loop);
    shop.endless("long", Duration(0));
    Scope scope("test", loop.ready(), loop.clock());
    Cancel stop;
    co_await shop.start(scope, stop);
    for (int i = 0; i < 10; ++i) co_await shop.put(std::to_string(i));
    Cancel enough;
    const Deadline deadline(loop.timers(), enough, milliseconds(20));
    const Result<void> slept = co_await loop.timers().sleep(std::chrono::hours(1), enough);
    EXPECT_FALSE(slept.has_value());
    EXPECT_EQ(shop.dispatcher().running(), 4u);
    stop.request();
    co_await scope.join();
    co_await shop.close();
    EXPECT_TRUE(shop.ended.empty());
    Cancel never;
    const auto stats = co_await shop.queue().stats(never);
    EXPECT_EQ(stats->waiting, 10u);
    EXPECT_EQ(stats->running, 0u);
    const auto row = co_await shop.queue().show("0", never);
    EXPECT_EQ(row->attempt, 0) << "stopping spent a try";
}
TEST(Dispatcher, AStopReleasesWhatIsInHand) { test::on_loop(stop_releases); }

constexpr milliseconds kShortLease(20);

Task<void> let_leases_run_out(Loop& loop) {
    const Instant end = loop.clock().now() + kShortLease;
    auto over = [&] { return loop.clock().now() > end + milliseconds(2); };
    co_await test::eventually(loop, over);
}

/// Three reactors that took job 1 and were never heard of again.
Task<void> lose_it_three_times(Loop& loop, MemoryQueue& queue) {
    Cancel never;
    for (int stall = 0; stall < 3; ++stall) {
        CycleIn in;
        in.claim = 1;
        const Result<CycleOut> taken = co_await queue.cycle(std::move(in), never);
        EXPECT_EQ(taken->claimed.claims.size(), 1u);
        co_await let_leases_run_out(loop);
        const Result<Reaped> reaped = co_await queue.reap(never);
        EXPECT_EQ(reaped->back, 1u);
    }
}

Task<void> gives_up_a_poisonous_job(Loop& loop) {
    QueueOptions options;
    options.lease = kShortLease;
    Workshop shop(loop, options);
    int runs = 0;
    int alarms = 0;
    shop.step("deadly", false, [&](StepContext&) {
        ++runs;
        return StepResult();
    });
    shop.on_failure("alarm", [&](StepContext&) {
        ++alarms;
        return StepResult();
    });
    co_await shop.store("1");
    co_await lose_it_three_times(loop, shop.queue());
    Scope scope("test", loop.ready(), loop.clock());
    Cancel stop;
    co_await shop.start(scope, stop);
    co_await shop.ends(2);
    stop.request();
    co_await scope.join();
    co_await shop.close();
    EXPECT_EQ(runs, 0);
    EXPECT_EQ(alarms, 1);
    EXPECT_EQ(shop.ended[0].error.code, Errc::poison);
}
TEST(Dispatcher, GivesUpAJobThatKillsItsReactorsAndRaisesOnFailure) {
    test::on_loop(gives_up_a_poisonous_job);
}

Task<void> stalls_cost_no_try(Loop& loop) {
    QueueOptions options;
    options.lease = kShortLease;
    Workshop shop(loop, options);
    std::string order;
    shop.config().limits.attempts = 3;
    shop.step("fails", false, [&](StepContext& context) -> Result<StepResult> {
        order += std::to_string(context.attempt);
        return fail(Errc::failed, "not today");
    });
    shop.on_failure("alarm", [&](StepContext&) {
        order += "!";
        return StepResult();
    });
    co_await shop.store("1");
    CycleIn in;
    in.claim = 1;
    Cancel never;
    const Result<CycleOut> lost = co_await shop.queue().cycle(std::move(in), never);
    EXPECT_EQ(lost->claimed.claims.size(), 1u);
    co_await let_leases_run_out(loop);
    Scope scope("test", loop.ready(), loop.clock());
    Cancel stop;
    co_await shop.start(scope, stop);
    co_await shop.ends(2);
    stop.request();
    co_await scope.join();
    co_await shop.close();
    EXPECT_EQ(order, "234!") << "on_failure was raised too early, or a try was lost";
}
TEST(Dispatcher, AStallCostsNoTryAndRaisesNothingEarly) { test::on_loop(stalls_cost_no_try); }

}  // namespace
}  // namespace musher
