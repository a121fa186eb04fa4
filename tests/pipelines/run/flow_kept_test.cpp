// What is kept of steps in steps with a job: how much of it, and what an edit makes of it.
#include "tests/support/flow_rig.h"

namespace musher {
namespace {

using test::FlowRig;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr const char* kCase =
    "        - { when: steps.look.kind == \"a\", steps: [ act: a, "
    "{ id: to-a, deliver: a }, act: fails ] }\n";

std::string with_cases(const std::string& cases) {
    return "  - id: look\n    act: look\n"
           "  - switch:\n      cases:\n" +
           cases + "      default: [ act: none ]\n";
}

Task<void> case_in_front(Loop& loop) {
    FlowRig rig(loop);
    EXPECT_EQ(rig.check(with_cases(kCase)), "");
    rig.stage.outputs["look"] = Json{{"kind", "a"}};
    rig.stage.faults["fails"] = Error(Errc::failed, "out of paper");
    const RunReport first = co_await rig.attempt();
    EXPECT_FALSE(first.outcome);
    EXPECT_THAT(rig.stored(), ElementsAre("switch cases[0]", "to-a a"));
    const std::string front = "        - { when: event.size > 0, steps: [ deliver: new ] }\n";
    EXPECT_EQ(rig.check(with_cases(front + kCase)), "");
    rig.stage.faults.clear();
    const RunReport second = co_await rig.attempt();
    EXPECT_TRUE(second.outcome) << second.outcome.error().text();
    EXPECT_THAT(rig.stage.done, ElementsAre("look: look", "act: a", "act-2: fails"))
        << "neither delivered anew nor elsewhere";
    co_await rig.close();
}
TEST(Switch, FindsItsChoiceAgainBehindACaseThatIsNew) { test::on_loop(case_in_front); }

Task<void> case_taken_away(Loop& loop) {
    FlowRig rig(loop);
    EXPECT_EQ(rig.check(with_cases(kCase)), "");
    rig.stage.outputs["look"] = Json{{"kind", "a"}};
    rig.stage.faults["fails"] = Error(Errc::failed, "out of paper");
    co_await rig.attempt();
    EXPECT_EQ(rig.check(with_cases("        - { when: event.size > 0, steps: [ deliver: b ] }\n")),
              "");
    const RunReport report = co_await rig.attempt();
    EXPECT_EQ(report.outcome.error().text(),
              "an earlier attempt has begun with the case `steps.look.kind == \"a\"`, which is not "
              "there any more");
    EXPECT_THAT(rig.stage.done, ElementsAre("look: look")) << "it does not do both";
    co_await rig.close();
}
TEST(Switch, SaysWhenItsChoiceIsGone) { test::on_loop(case_taken_away); }

/// Receipts of 4 KiB each, and a step behind them.
constexpr const char* kLoop = R"(
  - for_each:
      in: get(event, "list", {})
      steps: [ deliver: "${item} ${event.name}" ]
  - act: last
)";

Json list_of(std::size_t count) {
    Json list = Json::array();
    for (std::size_t i = 0; i < count; ++i) list.push_back(i);
    return list;
}

Task<void> too_many(Loop& loop, std::size_t& stored) {
    FlowRig rig(loop);
    EXPECT_EQ(rig.check(kLoop), "");
    rig.facts["name"] = std::string(4000, 'x');
    rig.facts["list"] = list_of(1000);
    const RunReport report = co_await rig.attempt();
    EXPECT_EQ(report.outcome.error().code, Errc::usage);
    EXPECT_EQ(report.outcome.error().text(), "the receipts of this job are over 1MiB");
    EXPECT_EQ(report.outcome.error().hint,
              "make several jobs of it: a `postgres_queue`, or files of a hot folder");
    EXPECT_EQ(rig.receipts.size(), rig.stage.done.size() + 1) << "no effect without its receipt";
    EXPECT_LT(to_line(rig.receipts).size(), limits::kReceiptsBytes + 10'000);
    stored = rig.stage.done.size();
    co_await rig.close();
}

Task<void> just_enough(Loop& loop, std::size_t& stored) {
    FlowRig rig(loop);
    EXPECT_EQ(rig.check(kLoop), "");
    rig.facts["name"] = std::string(4000, 'x');
    rig.facts["list"] = list_of(stored);
    rig.stage.faults["last"] = Error(Errc::failed, "out of paper");
    const RunReport first = co_await rig.attempt();
    EXPECT_EQ(first.outcome.error().text(), "out of paper");
    rig.stage.faults.clear();
    const RunReport second = co_await rig.attempt();
    EXPECT_TRUE(second.outcome) << "it adds none: " << second.outcome.error().text();
    EXPECT_THAT(rig.stage.done, ElementsAre("act: last"));
    co_await rig.close();
}
TEST(Receipts, AreBounded) {
    std::size_t stored = 0;
    test::on_loop(too_many, stored);
    EXPECT_GT(stored, 200u);
    test::on_loop(just_enough, stored);
}

}  // namespace
}  // namespace musher
