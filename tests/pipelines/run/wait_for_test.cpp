// wait_for: fresh looks, no trace of them, and the ways it ends.
#include "tests/support/eventually.h"
#include "tests/support/flow_rig.h"

namespace musher {
namespace {

using test::FlowRig;
using testing::ElementsAre;
using testing::IsEmpty;

Task<void> looks_again(Loop& loop) {
    FlowRig rig(loop);
    EXPECT_EQ(rig.check(R"(
  - id: ready
    wait_for:
      steps: [ { act: ask, id: answer } ]
      until: steps.answer.n >= 3
      interval: 10ms
  - act: "${steps.ready.looks} ${steps.answer.n}"
)"),
              "");
    int asked = 0;
    rig.stage.on = [&](const std::string&) { rig.stage.outputs["ask"] = Json{{"n", ++asked}}; };
    const RunReport report = co_await rig.attempt();
    EXPECT_TRUE(report.outcome) << report.outcome.error().text();
    EXPECT_EQ(rig.stage.done.back(), "act: 3 3");
    EXPECT_THAT(FlowRig::told(report), ElementsAre("ran ready: 3 looks", "ran act"));
    co_await rig.close();
}
TEST(WaitFor, RunsItsStepsBeforeEachLook) { test::on_loop(looks_again); }

Task<void> sees_a_file(Loop& loop) {
    FlowRig rig(loop);
    EXPECT_EQ(rig.check("  - id: there\n    wait_for:\n      path: " + rig.dir.path() +
                        "/${event.name}.done\n      steps: [ act: look ]\n"
                        "      until: steps.there.exists and steps.there.size > 2\n"
                        "      interval: 10ms\n"
                        "  - act: '${steps.there.size} ${steps.there.mtime ~= \"\"}'\n"),
              "");
    int looks = 0;
    rig.stage.on = [&](const std::string&) {
        // The first look has been: absent, then too small, then whole.
        if (++looks == 1) std::ofstream(rig.dir / "a.txt.done") << "ab";
        if (looks == 2) std::ofstream(rig.dir / "a.txt.done") << "abc";
    };
    const RunReport report = co_await rig.attempt();
    EXPECT_TRUE(report.outcome) << report.outcome.error().text();
    EXPECT_EQ(looks, 4) << "three looks and the step behind";
    EXPECT_EQ(rig.stage.done.back(), "act-2: 3 true");
    co_await rig.close();
}
TEST(WaitFor, LooksAtAFile) { test::on_loop(sees_a_file); }

Task<void> time_goes_by(Loop& loop) {
    FlowRig rig(loop);
    EXPECT_EQ(rig.check("  - set: { values: { begun: now } }\n"
                        "  - wait_for: { until: now > steps.set.begun, interval: 10ms }\n"),
              "");
    const RunReport report = co_await rig.attempt();
    EXPECT_TRUE(report.outcome) << report.outcome.error().text();
    co_await rig.close();
}
TEST(WaitFor, SeesTheTimeOfEachLook) { test::on_loop(time_goes_by); }

Task<void> in_vain(Loop& loop) {
    FlowRig rig(loop);
    EXPECT_EQ(rig.check("  - wait_for: { until: 'now == event.name', interval: 10ms,"
                        " timeout: 50ms }\n"),
              "");
    const RunReport report = co_await rig.attempt();
    EXPECT_EQ(report.outcome.error().code, Errc::timeout);
    EXPECT_EQ(report.outcome.error().text(), "waited 50ms in vain for `now == event.name`");
    EXPECT_EQ(report.failed_step, "wait_for");
    EXPECT_EQ(report.broken_sink, "");
    EXPECT_GE(report.story.back()["took_ms"], 50) << report.story.dump();
    // The same while a step inside is at work, and a rescue takes it as any other fault.
    EXPECT_EQ(rig.check("  - try:\n      steps:\n        - wait_for: { steps: [ act: hang ],"
                        " until: 'true', timeout: 20ms }\n"
                        "      rescue: [ act: '${job.failed.step}: ${job.error}' ]\n"),
              "");
    const RunReport rescued = co_await rig.attempt();
    EXPECT_TRUE(rescued.outcome);
    EXPECT_GE(rescued.story[0]["took_ms"], 20) << rescued.story.dump();
    EXPECT_THAT(rig.stage.done, ElementsAre("act-2: wait_for: waited 20ms in vain for `true`"));
    co_await rig.close();
}
TEST(WaitFor, SaysWhatItWaitedForInVain) { test::on_loop(in_vain); }

Task<void> stopped(Loop& loop) {
    FlowRig rig(loop);
    EXPECT_EQ(rig.check("  - wait_for: { steps: [ act: look ], until: 'false', interval: 1h,"
                        " timeout: 0 }\n"),
              "");
    Cancel stop;
    rig.stage.on = [&](const std::string&) { stop.request(); };
    const Instant began = loop.clock().now();
    const RunReport during = co_await rig.attempt(stop);
    EXPECT_EQ(during.outcome.error().code, Errc::cancelled);
    EXPECT_LT(loop.clock().now() - began, std::chrono::seconds(5));
    co_await rig.close();
}
TEST(WaitFor, AStopEndsItAtOnce) { test::on_loop(stopped); }

Task<void> left(Loop& loop) {
    FlowRig rig(loop);
    EXPECT_EQ(rig.check("  - try:\n      steps: [ wait_for: { until: 'false', interval: 1h } ]\n"
                        "      rescue: [ act: a ]\n"),
              "");
    rig.leave.request();
    const RunReport report = co_await rig.attempt();
    EXPECT_EQ(report.outcome.error().code, Errc::cancelled);
    EXPECT_TRUE(report.left) << "the whole job goes back to the queue";
    EXPECT_THAT(rig.stage.done, IsEmpty());
    co_await rig.close();
}
TEST(WaitFor, GoesBackWhenAStopBegins) { test::on_loop(left); }

Task<void> leaves_no_trace(Loop& loop) {
    FlowRig rig(loop);
    EXPECT_EQ(rig.check(R"(
  - wait_for:
      steps:
        - for_each: { in: "{1, 2}", as: n, steps: [ act: "ask ${n}" ] }
      until: now > event.name
      interval: 10ms
  - deliver: a
)"),
              "");
    rig.facts["name"] = "";
    const RunReport report = co_await rig.attempt();
    EXPECT_TRUE(report.outcome) << report.outcome.error().text();
    EXPECT_THAT(rig.stored(), ElementsAre("deliver a"));
    co_await rig.close();
}
TEST(WaitFor, ItsStepsLeaveNoReceipts) { test::on_loop(leaves_no_trace); }

Task<void> no_condition(Loop& loop) {
    FlowRig rig(loop);
    EXPECT_EQ(rig.check("  - wait_for: { until: \"get(event, 'flag', true)\" }\n"), "");
    rig.facts["flag"] = "yes";
    const RunReport report = co_await rig.attempt();
    EXPECT_EQ(report.outcome.error().text(),
              "`until` is text, not true or false: `get(event, 'flag', true)`");
    co_await rig.close();
}
TEST(WaitFor, WantsTrueOrFalse) { test::on_loop(no_condition); }

}  // namespace
}  // namespace musher
