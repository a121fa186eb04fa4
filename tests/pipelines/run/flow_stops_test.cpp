// Steps in steps when something ends them: a neighbour's fault, a stop, a time-out while the queue
// is away.
#include "tests/support/eventually.h"
#include "tests/support/flow_rig.h"

namespace musher {
namespace {

using test::FlowRig;
using testing::ElementsAre;
using testing::IsEmpty;

Error item_fault() { return Error(Errc::failed, "out of paper"); }

Task<void> neighbours_sink(Loop& loop) {
    FlowRig rig(loop);
    EXPECT_EQ(rig.check(R"(
  - parallel:
      branches:
        - [ deliver: slow, act: not begun ]
        - [ act: hang ]
        - [ act: b ]
)"),
              "");
    Waiters gate(loop.ready());
    rig.stage.gates["slow"] = &gate;
    rig.stage.faults["b"] = item_fault();
    rig.stage.cut = [&](const std::string&) { gate.wake_all(); };  // so the fault was heard
    const RunReport report = co_await rig.attempt();
    EXPECT_EQ(report.outcome.error().text(), "out of paper");
    EXPECT_THAT(rig.stage.done, ElementsAre("deliver: slow"));
    EXPECT_THAT(rig.stored(), ElementsAre("deliver slow")) << "or it would be delivered again";
    co_await rig.close();
}
TEST(Parallel, LetsTheSinksOfNeighboursEnd) { test::on_loop(neighbours_sink); }

constexpr const char* kWaitAndWork = R"(
  - try:
      steps:
        - parallel:
            branches:
              - [ wait_for: { until: 'false', interval: 1h }, act: never ]
              - [ act: work, deliver: made ]
      rescue: [ act: rescued ]
  - act: behind
)";

Task<void> waits_beside_work(Loop& loop) {
    FlowRig rig(loop);
    EXPECT_EQ(rig.check(kWaitAndWork), "");
    Cancel job;
    rig.stage.on = [&](const std::string& what) {
        if (what == "work") rig.leave.request();
    };
    const RunReport report = co_await rig.attempt(job);
    EXPECT_TRUE(report.left);
    EXPECT_EQ(report.outcome.error().code, Errc::cancelled);
    EXPECT_FALSE(job.requested());
    EXPECT_THAT(rig.stage.done, ElementsAre("act-2: work", "deliver: made"))
        << "it has the grace period";
    EXPECT_THAT(rig.stored(), ElementsAre("deliver made"));
    co_await rig.close();
}
TEST(WaitFor, AStopLeavesItsNeighboursTheTimeToEnd) { test::on_loop(waits_beside_work); }

Task<void> fault_beside_a_wait(Loop& loop) {
    FlowRig rig(loop);
    EXPECT_EQ(rig.check(kWaitAndWork), "");
    rig.stage.on = [&](const std::string& what) {
        if (what == "work") rig.leave.request();
    };
    rig.stage.faults["work"] = item_fault();
    const RunReport report = co_await rig.attempt();
    EXPECT_FALSE(report.left);
    EXPECT_TRUE(report.outcome) << "a fault is rescued, stop or not";
    EXPECT_THAT(rig.stage.done, ElementsAre("act-3: rescued", "act-4: behind"));
    co_await rig.close();
}
TEST(WaitFor, ItsLeavingHidesNoFault) { test::on_loop(fault_beside_a_wait); }

Task<void> late_receipt(Loop& loop) {
    FlowRig rig(loop);
    EXPECT_EQ(rig.check("  - deliver: a\n  - act: b\n"), "");
    Cancel job;
    int asked = 0;
    rig.front.away = [&] {
        job.request(Errc::timeout, "limits.timeout");
        return ++asked < 2;
    };
    const RunReport report = co_await rig.attempt(job);
    EXPECT_EQ(report.outcome.error().code, Errc::timeout);
    EXPECT_THAT(rig.stored(), ElementsAre("deliver a")) << "it was delivered";
    rig.front.away = nullptr;
    const RunReport next = co_await rig.attempt();
    EXPECT_TRUE(next.outcome);
    EXPECT_THAT(rig.stage.done, ElementsAre("act: b"));
    co_await rig.close();
}
TEST(Receipts, ATimeOutWaitsForThem) { test::on_loop(late_receipt); }

Task<void> receipt_without_room(Loop& loop) {
    FlowRig rig(loop);
    EXPECT_EQ(rig.check("  - deliver: a\n  - act: b\n"), "");
    int asked = 0;
    rig.front.why = Errc::full;
    rig.front.away = [&asked] { return ++asked < 2; };
    const RunReport report = co_await rig.attempt();
    EXPECT_TRUE(report.outcome);
    EXPECT_THAT(rig.stage.done, ElementsAre("deliver: a", "act: b"));
    EXPECT_THAT(rig.stored(), ElementsAre("deliver a"));
    co_await rig.close();
}
TEST(Receipts, WaitForAServerThatHasNoRoom) { test::on_loop(receipt_without_room); }

Task<void> last_receipt(Loop& loop) {
    FlowRig rig(loop);
    EXPECT_EQ(rig.check("  - for_each: { in: '{1, 2}', steps: [ act: made ] }\n"), "");
    Cancel job;
    int asked = 0;
    rig.front.away = [&] {
        rig.over.request();
        job.request(Errc::cancelled, "musher stops");
        return ++asked < 2;
    };
    const RunReport report = co_await rig.attempt(job);
    EXPECT_EQ(report.outcome.error().code, Errc::cancelled);
    EXPECT_THAT(rig.stored(), ElementsAre("for_each 2 elements", "for_each[0] "));
    co_await rig.close();
}
TEST(Receipts, TheEndOfAStopWaitsForThem) { test::on_loop(last_receipt); }

Task<void> take(FlowRig& rig, Cancel& job, std::optional<RunReport>& report) {
    report = co_await rig.attempt(job);
}

Task<void> not_for_ever(Loop& loop) {
    FlowRig rig(loop);
    EXPECT_EQ(rig.check("  - deliver: a\n"), "");
    Cancel job;
    Instant over;
    rig.front.away = [&] {
        if (!rig.over.requested()) over = loop.clock().now();
        rig.over.request();
        return true;
    };
    std::optional<RunReport> report;
    Scope scope("test", loop.ready(), loop.clock());
    scope.spawn("attempt", take(rig, job, report));
    const auto ended = [&] { return report.has_value(); };
    co_await test::eventually(loop, ended);
    co_await scope.join();
    const Duration waited = loop.clock().now() - over;
    EXPECT_EQ(report->outcome.error().code, Errc::unavailable);
    EXPECT_GE(waited, limits::kLastReceipt);
    EXPECT_LT(waited, limits::kLastReceipt * 3);
    EXPECT_THAT(rig.stored(), IsEmpty());
    co_await rig.close();
}
TEST(Receipts, AStopEndsWithoutTheQueue) {
    test::FastClock clock;
    test::on_loop_with(clock, not_for_ever);
}

Task<void> nothing_done_yet(Loop& loop) {
    FlowRig rig(loop);
    EXPECT_EQ(rig.check("  - switch: { cases: [ { when: 'true', steps: [ deliver: a ] } ] }\n"),
              "");
    Cancel job;
    rig.front.away = [&] {
        job.request(Errc::timeout, "limits.timeout");
        return true;
    };
    const RunReport report = co_await rig.attempt(job);
    EXPECT_FALSE(report.outcome);
    EXPECT_THAT(rig.stage.done, IsEmpty());
    co_await rig.close();
}
TEST(Receipts, WhatHasNotHappenedIsNotWaitedFor) { test::on_loop(nothing_done_yet); }

}  // namespace
}  // namespace musher
