// The texts that are kept of each pipeline, and the way back to them.
#include "pipelines/run/revisions.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "reactor/base/fd.h"
#include "tests/support/temp_dir.h"

namespace musher {
namespace {

struct RevisionsTest : testing::Test {
    std::string present() const { return read_small_file(config.file, 100).value_or("none"); }
    void edit(const std::string& text) { std::ofstream(config.file) << text; }
    void SetUp() override {
        config.name = "p";
        config.file = dir / "p.yml";
    }
    test::TempDir dir;
    Revisions revisions{dir / "revisions"};
    PipelineConfig config;
};

TEST_F(RevisionsTest, CountsTextsAndNotLooks) {
    EXPECT_EQ(revisions.record("p", "one").value(), 1);
    EXPECT_EQ(revisions.record("p", "one").value(), 1);
    EXPECT_EQ(revisions.record("p", "two").value(), 2);
    EXPECT_EQ(revisions.newest("p"), 2);
    EXPECT_EQ(revisions.newest("nobody"), 0);
    EXPECT_EQ(revisions.record("p", "one").value(), 3);
    EXPECT_EQ(revisions.record("q", "one").value(), 1);
    EXPECT_EQ(Revisions(dir / "revisions").record("p", "four").value(), 4);
    EXPECT_EQ(revisions.read("p", 2).value(), "two");
    struct stat status{};
    ASSERT_EQ(::stat((dir / "revisions/p/0002.yml").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(RevisionsTest, KeepsTheLastOnes) {
    for (int i = 1; i <= 25; ++i) EXPECT_EQ(revisions.record("p", std::to_string(i)).value(), i);
    const auto kept = revisions.list("p");
    ASSERT_EQ(kept->size(), Revisions::kKept);
    EXPECT_EQ(kept->begin()->first, 16);
    const Result<std::string> gone = revisions.read("p", 3);
    EXPECT_EQ(gone.error().code, Errc::not_found);
    EXPECT_EQ(gone.error().hint, "kept are 16 17 18 19 20 21 22 23 24 25");
}

TEST_F(RevisionsTest, RollsBackAFaultyEditToWhatRuns) {
    revisions.record("p", "one").value();
    config.text = "two";
    const int running = revisions.record("p", "two").value();
    edit("faulty");
    EXPECT_EQ(roll_back(revisions, config, running, 0).value(), 2);
    EXPECT_EQ(present(), "two");
    EXPECT_EQ(roll_back(revisions, config, running, 0).value(), 1);
    EXPECT_EQ(present(), "one");
}

TEST_F(RevisionsTest, LeavesTheFileAloneWhenThereIsNoWayBack) {
    config.text = "one";
    const int running = revisions.record("p", "one").value();
    edit("one");
    EXPECT_EQ(roll_back(revisions, config, running, 0).error().code, Errc::not_found);
    EXPECT_EQ(roll_back(revisions, config, running, 9).error().code, Errc::not_found);
    EXPECT_EQ(present(), "one");
}

TEST_F(RevisionsTest, KeepsALinkAndTheModeOfTheFile) {
    revisions.record("p", "one").value();
    config.text = "two";
    const int running = revisions.record("p", "two").value();
    std::ofstream(dir / "real.yml") << "two";
    ::chmod((dir / "real.yml").c_str(), 0640);
    std::filesystem::create_symlink("real.yml", config.file);
    EXPECT_EQ(roll_back(revisions, config, running, 0).value(), 1);
    EXPECT_TRUE(std::filesystem::is_symlink(config.file));
    EXPECT_EQ(present(), "one");
    struct stat status{};
    ASSERT_EQ(::stat((dir / "real.yml").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0640u);
}

}  // namespace
}  // namespace musher
