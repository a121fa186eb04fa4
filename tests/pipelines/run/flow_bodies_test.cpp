// The body on its way through steps in steps: who sees which, and what fuses.
#include <filesystem>
#include <sstream>

#include "tests/support/flow_rig.h"
#include "tests/support/tree.h"

namespace musher {
namespace {

namespace fs = std::filesystem;
using test::file_text;
using test::FlowRig;

/// A file to work on, and the rig's folder in place of DIR.
struct Bodies {
    explicit Bodies(Loop& loop) : rig(loop) {
        std::ofstream(rig.dir / "body") << content;
        rig.file = rig.dir / "body";
    }
    std::string check(std::string steps) {
        for (std::size_t at = steps.find("DIR"); at != steps.npos; at = steps.find("DIR")) {
            steps.replace(at, 3, rig.dir.path());
        }
        return rig.check(steps);
    }
    std::string made(const std::string& name) const { return file_text(rig.dir / ("out/" + name)); }
    bool packed(const std::string& name) const {
        const std::string text = made(name);
        return text.starts_with(
                   "\xfd"
                   "7zXZ") &&
               text.size() < content.size();
    }
    /// An attempt without a place for scratch files: whatever is not fused fails it.
    void forbid_scratch() { rig.scratch_root() = "/proc/no-scratch"; }

    const std::string content = std::string(100'000, 'x');
    FlowRig rig;
};

Task<void> branches(Loop& loop) {
    Bodies bodies(loop);
    bodies.forbid_scratch();
    EXPECT_EQ(bodies.check(R"(
  - parallel:
      branches:
        - [ xz_compress, directory: { to: DIR/out, name: a.xz } ]
        - [ directory: { to: DIR/out, name: b } ]
        - [ xz_compress, directory: { to: DIR/out, name: c.xz } ]
  - directory: { to: DIR/out, name: d }
)"),
              "");
    const RunReport report = co_await bodies.rig.attempt();
    EXPECT_TRUE(report.outcome) << report.outcome.error().text();
    EXPECT_TRUE(bodies.packed("a.xz"));
    EXPECT_TRUE(bodies.packed("c.xz"));
    EXPECT_TRUE(bodies.made("b") == bodies.content);
    EXPECT_TRUE(bodies.made("d") == bodies.content) << "behind it the body is as before";
    co_await bodies.rig.close();
}
TEST(FlowBodies, EachBranchHasItsOwnAndFusesIt) { test::on_loop(branches); }

Task<void> rounds(Loop& loop) {
    Bodies bodies(loop);
    bodies.forbid_scratch();
    EXPECT_EQ(bodies.check(R"(
  - for_each:
      in: "{'1', '2'}"
      steps: [ xz_compress, directory: { to: DIR/out, name: "${item}.xz" } ]
  - directory: { to: DIR/out, name: plain }
)"),
              "");
    const RunReport report = co_await bodies.rig.attempt();
    EXPECT_TRUE(report.outcome) << report.outcome.error().text();
    EXPECT_TRUE(bodies.packed("1.xz") && bodies.packed("2.xz"));
    EXPECT_TRUE(bodies.made("2.xz") == bodies.made("1.xz")) << "packed once, not twice";
    EXPECT_TRUE(bodies.made("plain") == bodies.content);
    co_await bodies.rig.close();
}
TEST(FlowBodies, EachRoundBeginsWithTheJobsBody) { test::on_loop(rounds); }

Task<void> no_more_than_one_round(Loop& loop) {
    Bodies bodies(loop);
    EXPECT_EQ(bodies.check(R"(
  - for_each:
      in: "{'1', '2', '3'}"
      steps:
        - exec: { argv: [cat], stdin: body, stdout: body }
        - xz_compress
        - for_each:
            in: "{1}"
            as: n
            steps: [ exec: { argv: [cat], stdin: body, stdout: body } ]
        - try:
            steps:
              - wait_for: { steps: [ exec: { argv: ["true"] }, act: fails ], until: 'true' }
            rescue: []
        - act: "${item}"
  - wait_for:
      steps:
        - exec: { argv: [cat], stdin: body, stdout: body }
        - { act: look, id: look }
      until: steps.look.said == 'enough'
      interval: 10ms
)"),
              "");
    std::vector<std::ptrdiff_t> files;
    bodies.rig.stage.faults["fails"] = Error(Errc::failed, "out of paper");
    bodies.rig.stage.on = [&](const std::string& what) {
        if (what == "fails") return;
        const fs::recursive_directory_iterator all(bodies.rig.scratch_root());
        files.push_back(std::distance(all, fs::recursive_directory_iterator()));
        bodies.rig.stage.outputs["look"]["said"] = files.size() < 5 ? "more" : "enough";
    };
    const RunReport report = co_await bodies.rig.attempt();
    EXPECT_TRUE(report.outcome) << report.outcome.error().text();
    MUSHER_CHECK(files.size() == 5);
    EXPECT_EQ(files[0], 5) << "the attempt's folder, the round's, and exec's two in it, the body";
    EXPECT_EQ(files[1], files[0]);
    EXPECT_EQ(files[2], files[0]);
    EXPECT_EQ(files[4], files[3]) << "a second look";
    EXPECT_TRUE(fs::is_empty(bodies.rig.scratch_root()));
    co_await bodies.rig.close();
}
TEST(FlowBodies, WhatARoundAndALookMakeGoesWithThem) { test::on_loop(no_more_than_one_round); }

Task<void> through_a_switch(Loop& loop) {
    Bodies bodies(loop);
    bodies.forbid_scratch();
    EXPECT_EQ(bodies.check(R"(
  - xz_compress
  - switch: { cases: [ { when: event.size > 0, steps: [ xz_expand, xz_compress ] } ] }
  - directory: { to: DIR/out, name: a.xz }
)"),
              "");
    const RunReport report = co_await bodies.rig.attempt();
    EXPECT_TRUE(report.outcome) << report.outcome.error().text();
    EXPECT_TRUE(bodies.packed("a.xz")) << "one pass, from the first step to the sink";
    co_await bodies.rig.close();
}
TEST(FlowBodies, ASwitchHandsItOn) { test::on_loop(through_a_switch); }

Task<void> not_before_a_reader(Loop& loop) {
    Bodies bodies(loop);
    EXPECT_EQ(bodies.check(R"(
  - switch:
      cases: [ { when: "true", steps: [ xz_compress, directory: { to: DIR/out, name: a.xz } ] } ]
  - directory: { to: DIR/out, name: b.xz }
)"),
              "");
    const RunReport report = co_await bodies.rig.attempt();
    EXPECT_TRUE(report.outcome) << report.outcome.error().text();
    EXPECT_TRUE(bodies.packed("a.xz") && bodies.packed("b.xz"));
    co_await bodies.rig.close();
}
TEST(FlowBodies, WhatAStepBehindReadsIsNotFusedAway) { test::on_loop(not_before_a_reader); }

Task<void> rescued(Loop& loop) {
    Bodies bodies(loop);
    EXPECT_EQ(bodies.check(R"(
  - try:
      steps: [ xz_compress, checksum, act: fails ]
      rescue: [ directory: { to: DIR/out, name: a } ]
  - try:
      steps: [ xz_expand ]
      rescue: [ act: no archive ]
  - try:
      steps: [ xz_compress ]
      rescue: []
  - directory: { to: DIR/out, name: b.xz }
)"),
              "");
    bodies.rig.stage.faults["fails"] = Error(Errc::failed, "on purpose");
    const RunReport report = co_await bodies.rig.attempt();
    EXPECT_TRUE(report.outcome) << report.outcome.error().text();
    EXPECT_TRUE(bodies.made("a") == bodies.content) << "as it was before what was tried";
    EXPECT_EQ(bodies.rig.stage.done.back(), "act-2: no archive")
        << "a filter that nobody read from fails where it stands";
    EXPECT_TRUE(bodies.packed("b.xz")) << "a try hands its body on";
    co_await bodies.rig.close();
}
TEST(FlowBodies, ARescueHasTheOneFromBefore) { test::on_loop(rescued); }

Task<void> readable(Loop& loop) {
    Bodies bodies(loop);
    EXPECT_EQ(bodies.check(R"(
  - xz_compress
  - parallel:
      branches:
        - [ act: "${body.size < 100000}" ]
        - [ checksum: { algorithm: sha256 }, directory: { to: DIR/out, name: a.xz } ]
  - act: "${body.size < 100000} ${steps.checksum.hex == steps.directory.sha256}"
)"),
              "");
    const RunReport report = co_await bodies.rig.attempt();
    EXPECT_TRUE(report.outcome) << report.outcome.error().text();
    EXPECT_TRUE(bodies.packed("a.xz"));
    EXPECT_EQ(bodies.rig.stage.done, (std::vector<std::string>{"act: true", "act-2: true true"}));
    co_await bodies.rig.close();
}
TEST(FlowBodies, FiltersBeforeItRunBeforeItsBranches) { test::on_loop(readable); }

}  // namespace
}  // namespace musher
