// Steps inside steps: what runs, what a later attempt runs again, and what expressions see.
#include "tests/support/eventually.h"
#include "tests/support/flow_rig.h"

namespace musher {
namespace {

using test::FlowRig;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Lines = std::vector<std::string>;

Error item_fault() { return Error(Errc::failed, "out of paper"); }

Task<void> first_true_case(Loop& loop) {
    FlowRig rig(loop);
    EXPECT_EQ(rig.check(R"(
  - id: kind
    switch:
      cases:
        - { when: event.size > 9, steps: [ act: large ] }
        - { when: event.size > 3, steps: [ act: middle, deliver: there ] }
        - { when: "true", steps: [ act: any ] }
      default: [ act: none ]
  - act: "${steps.kind.chosen} ${steps.deliver.target}"
)"),
              "");
    const RunReport report = co_await rig.attempt();
    EXPECT_TRUE(report.outcome) << report.outcome.error().text();
    EXPECT_THAT(rig.stage.done,
                ElementsAre("act-2: middle", "deliver: there", "act-5: cases[1] there"));
    EXPECT_THAT(rig.stored(), ElementsAre("kind cases[1]", "deliver there"));
    EXPECT_THAT(FlowRig::told(report), ElementsAre("chose kind: cases[1]", "ran act-2",
                                                   "ran deliver: there", "ran act-5"));
    co_await rig.close();
}
TEST(Switch, TakesTheFirstCaseThatIsTrue) { test::on_loop(first_true_case); }

Task<void> default_or_none(Loop& loop) {
    FlowRig rig(loop);
    EXPECT_EQ(rig.check("  - switch: { cases: [ { when: 'false', steps: [ act: a ] } ],"
                        " default: [ act: b ] }\n"
                        "  - switch: { cases: [ { when: 'false', steps: [ act: c ] } ] }\n"
                        "  - act: '[${steps[\"switch-2\"].chosen}]'\n"),
              "");
    const RunReport report = co_await rig.attempt();
    EXPECT_TRUE(report.outcome);
    EXPECT_THAT(rig.stage.done, ElementsAre("act-2: b", "act-4: []"));
    co_await rig.close();
}
TEST(Switch, WithoutOneTakesTheDefaultOrNothing) { test::on_loop(default_or_none); }

Task<void> choice_is_kept(Loop& loop) {
    FlowRig rig(loop);
    const char* steps = R"(
  - id: look
    act: look
  - switch:
      cases:
        - { when: steps.look.kind == "a", steps: [ act: one, deliver: a ] }
      default: [ deliver: b ]
  - act: last
)";
    EXPECT_EQ(rig.check(steps), "");
    rig.stage.outputs["look"] = Json{{"kind", "a"}};
    rig.stage.faults["one"] = item_fault();
    const RunReport first = co_await rig.attempt();
    EXPECT_EQ(first.failed_step, "act");
    EXPECT_THAT(rig.stored(), IsEmpty()) << "nothing lasting was done: it may choose anew";
    rig.stage.faults.clear();
    rig.stage.faults["last"] = item_fault();
    const RunReport second = co_await rig.attempt();
    EXPECT_EQ(second.failed_step, "act-2");
    EXPECT_THAT(rig.stored(), ElementsAre("switch cases[0]", "deliver a"));
    rig.stage.outputs["look"] = Json{{"kind", "b"}};
    rig.stage.faults.clear();
    const RunReport third = co_await rig.attempt();
    EXPECT_TRUE(third.outcome);
    EXPECT_THAT(rig.stage.done, ElementsAre("look: look", "act: one", "act-2: last"))
        << "not b beside a";
    co_await rig.close();
}
TEST(Switch, KeepsToItsChoiceOnceASinkHasBegun) { test::on_loop(choice_is_kept); }

Task<void> pinned_before_the_sink(Loop& loop) {
    FlowRig rig(loop);
    EXPECT_EQ(rig.check("  - switch: { cases: [ { when: 'true', steps: [ deliver: a ] } ] }\n"),
              "");
    rig.stage.faults["a"] = Error(Errc::corrupt, "refused");
    co_await rig.attempt();
    EXPECT_THAT(rig.stored(), ElementsAre("switch cases[0]"))
        << "killed between the effect and its receipt, it must not choose another";
    co_await rig.close();
}
TEST(Switch, ItsChoiceIsStoredBeforeTheSinkRuns) { test::on_loop(pinned_before_the_sink); }

Task<void> each_in_order(Loop& loop) {
    FlowRig rig(loop);
    EXPECT_EQ(rig.check(R"(
  - id: each
    for_each:
      in: "{ {name = 'a'}, {name = 'b'} }"
      as: page
      steps:
        - act: "${steps.each.index}/${steps.each.count} ${page.name}"
        - deliver: "to ${page.name} ${steps.act.said}"
  - act: "${steps.each.count} ${steps.each.receipts[2].target}"
)"),
              "");
    const RunReport report = co_await rig.attempt();
    EXPECT_TRUE(report.outcome) << report.outcome.error().text();
    EXPECT_THAT(rig.stage.done, ElementsAre("each[0].act: 1/2 a", "each[0].deliver: to a 1/2 a",
                                            "each[1].act: 2/2 b", "each[1].deliver: to b 2/2 b",
                                            "act-2: 2 to b 2/2 b"));
    EXPECT_THAT(rig.stored(), ElementsAre("each 2 elements", "each[0].deliver to a 1/2 a",
                                          "each[0] ", "each[1].deliver to b 2/2 b", "each[1] "));
    co_await rig.close();
}
TEST(ForEach, DoesItsStepsForEachElement) { test::on_loop(each_in_order); }

Task<void> goes_on_in_the_middle(Loop& loop) {
    FlowRig rig(loop);
    EXPECT_EQ(rig.check(R"(
  - id: list
    act: list
  - id: each
    for_each:
      in: steps.list.all
      steps:
        - act: "read ${item}"
        - deliver: "${item}"
        - id: note
          act: "note ${item}"
  - act: "${steps.each.receipts[1].target} ${steps.each.receipts[3].target}"
)"),
              "");
    rig.stage.outputs["list"] = Json{{"all", {"a", "b", "c"}}};
    rig.stage.faults["note b"] = item_fault();
    const RunReport first = co_await rig.attempt();
    EXPECT_EQ(first.failed_step, "each[1].note");
    EXPECT_THAT(rig.stored(), ElementsAre("each 3 elements", "each[0].deliver a", "each[0] ",
                                          "each[1].deliver b"));
    rig.stage.faults.clear();
    rig.stage.outputs["list"] = Json{{"all", {"x"}}};
    const RunReport second = co_await rig.attempt();
    EXPECT_TRUE(second.outcome) << second.outcome.error().text();
    EXPECT_THAT(rig.stage.done,
                ElementsAre("list: list", "each[1].act: read b", "each[1].note: note b",
                            "each[2].act: read c", "each[2].deliver: c", "each[2].note: note c",
                            "act-2: a c"))
        << "the list of the first attempt, from its second round's last receipt on";
    co_await rig.close();
}
TEST(ForEach, GoesOnWhereItFailed) { test::on_loop(goes_on_in_the_middle); }

Task<void> loops_in_loops(Loop& loop) {
    FlowRig rig(loop);
    EXPECT_EQ(rig.check(R"(
  - id: o
    for_each:
      in: "{ {1, 2}, {3} }"
      as: row
      steps:
        - id: i
          for_each: { in: row, as: cell, steps: [ deliver: "${steps.o.index}.${cell}" ] }
  - act: "${steps.o.receipts[3].target}"
)"),
              "");
    rig.stage.faults["2.3"] = item_fault();
    const RunReport first = co_await rig.attempt();
    EXPECT_EQ(first.failed_step, "o[1].i[0].deliver");
    EXPECT_THAT(rig.stored(),
                ElementsAre("o 2 elements", "o[0].i 2 elements", "o[0].i[0].deliver 1.1",
                            "o[0].i[1].deliver 1.2", "o[1].i 1 element"));
    rig.stage.faults.clear();
    const RunReport second = co_await rig.attempt();
    EXPECT_THAT(rig.stage.done, ElementsAre("o[1].i[0].deliver: 2.3", "act: 2.3"));
    EXPECT_TRUE(second.outcome);
    co_await rig.close();
}
TEST(ForEach, StandsInAForEach) { test::on_loop(loops_in_loops); }

Task<void> no_list(Loop& loop) {
    FlowRig rig(loop);
    EXPECT_EQ(
        rig.check("  - for_each: { in: \"event.size == 4 and 'x' or {}\", steps: [ act: a ] }\n"),
        "");
    const RunReport report = co_await rig.attempt();
    EXPECT_EQ(report.outcome.error().text(),
              "`in` is text, not a list: `event.size == 4 and 'x' or {}`");
    EXPECT_EQ(rig.check("  - for_each: { in: '{}', steps: [ act: a ] }\n  - act: b\n"), "");
    co_await rig.attempt();
    EXPECT_THAT(rig.stage.done, ElementsAre("act-2: b"));
    EXPECT_EQ(rig.check("  - for_each:\n      in: \"split(string.rep('a,', 1000), ',')\"\n"
                        "      steps: [ act: a ]\n"),
              "");
    const RunReport many = co_await rig.attempt();
    EXPECT_EQ(many.outcome.error().text(), "`in` has 1001 elements, more than 1000");
    co_await rig.close();
}
TEST(ForEach, WantsAListOfABoundedLength) { test::on_loop(no_list); }

Task<void> all_at_once(Loop& loop) {
    FlowRig rig(loop);
    EXPECT_EQ(rig.check(R"(
  - parallel:
      branches:
        - [ act: a1, act: a2, deliver: a ]
        - [ act: b1, deliver: b ]
  - act: "${steps.deliver.target}${steps[\"deliver-2\"].target}"
)"),
              "");
    const RunReport report = co_await rig.attempt();
    EXPECT_TRUE(report.outcome) << report.outcome.error().text();
    EXPECT_EQ(rig.stage.done.back(), "act-4: ab");
    EXPECT_THAT(Lines(rig.stage.done.begin(), rig.stage.done.begin() + 2),
                ElementsAre("act: a1", "act-3: b1"))
        << "both begin";
    EXPECT_THAT(rig.stored(), testing::UnorderedElementsAre("deliver a", "deliver-2 b"));
    co_await rig.close();
}
TEST(Parallel, RunsAllBranchesAtOnce) { test::on_loop(all_at_once); }

Task<void> first_fault_wins(Loop& loop) {
    FlowRig rig(loop);
    EXPECT_EQ(rig.check(R"(
  - parallel:
      branches:
        - [ deliver: a, act: hang ]
        - [ act: hang too ]
        - [ act: b, act: c ]
)"),
              "");
    rig.stage.faults["c"] = item_fault();
    const RunReport first = co_await rig.attempt();
    EXPECT_EQ(first.outcome.error().text(), "out of paper");
    EXPECT_EQ(first.failed_step, "act-4");
    EXPECT_EQ(rig.stage.running["hang"] + rig.stage.running["hang too"], 0) << "all have ended";
    EXPECT_THAT(rig.stored(), ElementsAre("deliver a"));
    co_await rig.close();
}
TEST(Parallel, TheFirstFaultStopsTheOthers) { test::on_loop(first_fault_wins); }

Task<void> rescued(Loop& loop) {
    FlowRig rig(loop);
    EXPECT_EQ(rig.check(R"(
  - id: careful
    try:
      steps: [ deliver: x, act: y, act: z ]
      rescue:
        - act: "${job.error}, ${job.failed.step}, ${job.failed.error.code}"
        - deliver: saved
  - act: "${steps.careful.rescued} ${steps.careful.error} ${coalesce(job.error, \"none\")}"
)"),
              "");
    rig.stage.faults["y"] = item_fault();
    rig.stage.faults["saved"] = item_fault();
    const RunReport first = co_await rig.attempt();
    EXPECT_EQ(first.failed_step, "deliver-2");
    EXPECT_THAT(rig.stage.done, ElementsAre("deliver: x", "act-3: out of paper, act, failed"));
    EXPECT_THAT(FlowRig::told(first),
                ElementsAre("ran deliver: x", "rescued careful: act: out of paper", "ran act-3",
                            "failed deliver-2: out of paper"));
    EXPECT_THAT(rig.stored(), ElementsAre("deliver x", "careful rescue"));
    rig.stage.faults.clear();
    const RunReport second = co_await rig.attempt();
    EXPECT_TRUE(second.outcome) << second.outcome.error().text();
    EXPECT_THAT(rig.stage.done, ElementsAre("act-3: out of paper, act, failed", "deliver-2: saved",
                                            "act-4: true out of paper none"))
        << "straight to the rescue";
    co_await rig.close();
}
TEST(Try, RunsItsRescueAfterAFaultOfTheItem) { test::on_loop(rescued); }

Task<void> not_needed(Loop& loop) {
    FlowRig rig(loop);
    EXPECT_EQ(rig.check("  - try: { steps: [ act: a ], rescue: [ act: b ] }\n"
                        "  - act: '${steps.try.rescued}'\n"
                        "  - try: { steps: [ act: c ], rescue: [] }\n"
                        "  - act: '${steps[\"try-2\"].error}'\n"),
              "");
    rig.stage.faults["c"] = item_fault();
    const RunReport report = co_await rig.attempt();
    EXPECT_TRUE(report.outcome);
    EXPECT_THAT(rig.stage.done, ElementsAre("act: a", "act-3: false", "act-5: out of paper"));
    co_await rig.close();
}
TEST(Try, PassesOverWhatItIsToldTo) { test::on_loop(not_needed); }

Task<void> sinks_are_not_rescued(Loop& loop) {
    FlowRig rig(loop);
    EXPECT_EQ(rig.check("  - try: { steps: [ deliver: a ], rescue: [ act: b ] }\n"), "");
    rig.stage.faults["a"] = Error(Errc::unavailable, "connection refused");
    const RunReport held = co_await rig.attempt();
    EXPECT_EQ(held.broken_sink, "deliver");
    EXPECT_THAT(rig.stage.done, IsEmpty());
    rig.stage.faults["a"] = Error(Errc::corrupt, "no picture");
    const RunReport item = co_await rig.attempt();
    EXPECT_TRUE(item.outcome) << "a fault of the item that a sink finds is the item's";
    co_await rig.close();
}
TEST(Try, LeavesABrokenSinkToTheHold) { test::on_loop(sinks_are_not_rescued); }

Task<void> servers_are_away(Loop& loop) {
    FlowRig rig(loop);
    EXPECT_EQ(rig.check("  - ask: a\n  - try: { steps: [ ask: b ], rescue: [ act: c ] }\n"
                        "  - try: { steps: [ act: d ], rescue: [ ask: e ] }\n"
                        "  - act: f\n"),
              "");
    rig.stage.faults["a"] = Error(Errc::unavailable, "connection refused");
    const RunReport held = co_await rig.attempt();
    EXPECT_EQ(held.broken_sink, "ask");
    rig.stage.faults["a"] = Error(Errc::not_found, "answered 404");
    const RunReport item = co_await rig.attempt();
    EXPECT_EQ(item.broken_sink, "") << "a fault of the item that a server finds is the item's";
    rig.stage.faults.erase("a");
    rig.stage.faults["b"] = rig.stage.faults["e"] = Error(Errc::unavailable, "refused");
    rig.stage.faults["d"] = item_fault();
    const RunReport rescue = co_await rig.attempt();
    EXPECT_THAT(rig.stage.done, ElementsAre("ask: a", "act: c"));
    EXPECT_EQ(rescue.broken_sink, "ask-3") << "nobody passes over what a rescue asks";
    EXPECT_EQ(rescue.passed_sinks.count("ask"), 1u);
    rig.stage.faults = {{"f", Error(Errc::unavailable, "it says so")}};
    const RunReport none = co_await rig.attempt();
    EXPECT_EQ(none.broken_sink, "") << "a step that asks nobody";
    co_await rig.close();
}
TEST(Flow, AServerThatIsAwayIsNoFaultOfTheItemsButForATry) { test::on_loop(servers_are_away); }

Task<void> stops_are_not_rescued(Loop& loop) {
    FlowRig rig(loop);
    EXPECT_EQ(rig.check("  - try: { steps: [ act: hang ], rescue: [ act: b ] }\n"), "");
    Cancel stop;
    rig.stage.on = [&stop](const std::string& what) {
        if (what == "hang") stop.request();
    };
    const RunReport report = co_await rig.attempt(stop);
    EXPECT_EQ(report.outcome.error().code, Errc::cancelled);
    EXPECT_THAT(rig.stage.done, IsEmpty());
    // Its own time-out is no fault of a step inside, theirs is.
    EXPECT_EQ(rig.check("  - try: { steps: [ act: hang ], rescue: [ act: b ] }\n"
                        "    timeout: 20ms\n"),
              "");
    rig.stage.on = nullptr;
    const RunReport late = co_await rig.attempt();
    EXPECT_EQ(late.outcome.error().code, Errc::timeout);
    EXPECT_EQ(rig.check("  - try:\n      steps: [ { act: hang, timeout: 20ms } ]\n"
                        "      rescue: [ act: b ]\n"),
              "");
    const RunReport saved = co_await rig.attempt();
    EXPECT_TRUE(saved.outcome);
    EXPECT_THAT(rig.stage.done, ElementsAre("act-2: b"));
    co_await rig.close();
}
TEST(Try, LeavesStopsAndItsOwnTimeoutAlone) { test::on_loop(stops_are_not_rescued); }

Task<void> faults_inside_branches(Loop& loop) {
    FlowRig rig(loop);
    EXPECT_EQ(rig.check(R"(
  - for_each:
      in: "{'a', 'b', 'c'}"
      steps:
        - try:
            steps:
              - parallel: { branches: [ [ act: "${item}" ], [ act: hang ] ] }
            rescue: [ deliver: "lost ${item}" ]
        - deliver: "after ${item}"
)"),
              "");
    for (const char* name : {"a", "b", "c"}) rig.stage.faults[name] = item_fault();
    const RunReport report = co_await rig.attempt();
    EXPECT_TRUE(report.outcome) << report.outcome.error().text();
    EXPECT_THAT(rig.stage.done,
                ElementsAre("for_each[0].deliver: lost a", "for_each[0].deliver-2: after a",
                            "for_each[1].deliver: lost b", "for_each[1].deliver-2: after b",
                            "for_each[2].deliver: lost c", "for_each[2].deliver-2: after c"));
    co_await rig.close();
}
TEST(Nested, ATryInALoopRescuesEachRound) { test::on_loop(faults_inside_branches); }

Task<void> on_failure_steps(Loop& loop) {
    FlowRig rig(loop);
    const std::string told = rig.check("  - act: a\n",
                                       "on_failure:\n  - for_each: { in: '{1}', steps: [ act: "
                                       "'${item} ${job.error}' ] }\n");
    EXPECT_EQ(told, "");
    co_await rig.close();
}
TEST(Nested, StandsInOnFailure) { test::on_loop(on_failure_steps); }

}  // namespace
}  // namespace musher
