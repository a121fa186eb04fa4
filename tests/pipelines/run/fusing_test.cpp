// Adjacent filters are one pass over the body, and none of its own before a sink that takes them.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "pipelines/steps/catalogue.h"
#include "sinks/catalogue.h"
#include "tests/pipelines/run/fixture.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tree.h"

namespace musher {
namespace {

namespace fs = std::filesystem;
using test::Workshop;
using Names = std::vector<std::string>;

const StepEntry& entry(std::string_view name) {
    for (const auto* list : {&step_catalogue(), &sink_catalogue()}) {
        for (const StepEntry& one : *list) {
            if (one.spec.name == name) return one;
        }
    }
    MUSHER_CHECK(false);
    return step_catalogue().front();
}

struct Files {
    Files() {
        std::ofstream(body) << content;
        std::ofstream(key) << std::string(64, 'a');
        fs::permissions(key, fs::perms::owner_read);
    }
    std::string seal() const { return "key_file: " + key; }
    test::TempDir dir;
    std::string content = std::string(3'000'000, 'x');
    std::string body = dir / "body";
    std::string key = dir / "key";
    std::string sealed = dir / "sealed";
};

/// Runs one job over `file` to its end.
Task<Outcome> run_job(Loop& loop, Workshop& shop, std::string file) {
    Scope scope("test", loop.ready(), loop.clock());
    Cancel stop;
    co_await shop.start(scope, stop);
    co_await shop.put("1", std::move(file));
    co_await shop.ends(1);
    stop.request();
    co_await scope.join();
    co_await shop.close();
    co_return shop.ended.empty() ? Outcome::cancelled : shop.ended[0].outcome;
}

Task<void> into_the_sink(Loop& loop, Files& files) {
    {
        Workshop shop(loop);
        shop.around().scratch_root = "/proc/no-scratch";  // any scratch file would fail the job
        shop.real(entry("xz_compress"), "level: 1");
        shop.real(entry("seal"), files.seal());
        shop.real(entry("directory"), "{ to: " + files.dir.path() + ", name: sealed }", true);
        const Outcome outcome = co_await run_job(loop, shop, files.body);
        EXPECT_EQ(outcome_name(outcome), "done");
    }
    EXPECT_LT(fs::file_size(files.sealed), 100'000u);
    Workshop back(loop);
    back.around().scratch_root = "/proc/no-scratch";
    back.real(entry("unseal"), files.seal());
    back.real(entry("xz_expand"), "{}");
    back.real(entry("directory"), "{ to: " + files.dir.path() + ", name: back }", true);
    const Outcome outcome = co_await run_job(loop, back, files.sealed);
    EXPECT_EQ(outcome_name(outcome), "done");
    EXPECT_TRUE(test::file_text(files.dir / "back") == files.content);
}
TEST(Fusing, FiltersGoIntoTheSinkThatFollows) {
    Files files;
    test::on_loop(into_the_sink, files);
}

/// Keeps what lies in the scratch folder when its turn comes.
test::Script look(std::vector<Names>& seen) {
    return [&seen](StepContext& context) -> Result<StepResult> {
        Names names;
        for (const auto& one : fs::directory_iterator(context.scratch)) {
            names.push_back(one.path().filename());
        }
        std::sort(names.begin(), names.end());
        seen.push_back(names);
        EXPECT_TRUE(context.body.path.starts_with(context.scratch));
        EXPECT_EQ(context.body.size, fs::file_size(context.body.path));
        return StepResult();
    };
}
Task<void> one_pass(Loop& loop, Files& files) {
    std::vector<Names> seen;
    Workshop shop(loop);
    shop.around().scratch_root = files.dir / "scratch";
    shop.real(entry("xz_compress"), "level: 1");
    shop.real(entry("seal"), files.seal());
    shop.step("look", false, look(seen));
    shop.real(entry("unseal"), files.seal());
    shop.step("again", false, look(seen));
    const Outcome outcome = co_await run_job(loop, shop, files.body);
    EXPECT_EQ(outcome_name(outcome), "done");
    EXPECT_EQ(seen, (std::vector<Names>{{"body-1"}, {"body-1", "body-2"}}));
    EXPECT_TRUE(fs::is_empty(files.dir / "scratch")) << "gone with the attempt";
    EXPECT_TRUE(test::file_text(files.body) == files.content) << "the original stays";
}
TEST(Fusing, AdjacentFiltersAreOnePass) {
    Files files;
    test::on_loop(one_pass, files);
}

Task<void> no_file(Loop& loop, Files& files) {
    Workshop shop(loop);
    shop.real(entry("xz_compress"), "{}");
    shop.real(entry("directory"), "to: " + files.dir / "out", true);
    const Outcome outcome = co_await run_job(loop, shop, "");
    EXPECT_EQ(outcome_name(outcome), "dead");
    EXPECT_EQ(shop.ended.at(0).error.text(), "this job carries no file for `xz_compress` to read");
}
TEST(Fusing, AJobWithoutAFileIsDeadAtOnce) {
    Files files;
    test::on_loop(no_file, files);
}

/// A sink that does not read the body.
test::Script note_job(std::vector<std::string>& told) {
    return [&told](StepContext& context) -> Result<StepResult> {
        told.push_back(context.job);
        StepResult result;
        result.receipt.emplace();
        return result;
    };
}
Task<void> spoilt(Loop& loop, Files& files) {
    std::vector<std::string> told;
    Workshop shop(loop);
    shop.around().scratch_root = files.dir / "scratch";
    shop.real(entry("unseal"), files.seal());
    shop.step("tell", true, note_job(told), false);
    const Outcome outcome = co_await run_job(loop, shop, files.body);
    EXPECT_EQ(outcome_name(outcome), "dead");
    EXPECT_TRUE(told.empty()) << "nobody is told of a file that was not proved";
    EXPECT_EQ(shop.ended.at(0).report["error"]["step"], "unseal");
}
TEST(Fusing, NothingIsDoneOutsideBeforeTheBodyIsProved) {
    Files files;
    test::on_loop(spoilt, files);
}

Task<void> too_slow(Loop& loop, Files& files) {
    Workshop shop(loop);
    shop.config().limits.attempts = 1;
    shop.around().scratch_root = files.dir / "scratch";
    shop.real(entry("checksum"), "{}");
    shop.real(entry("xz_compress"), "{ level: 9, threads: 1 }");
    shop.config().steps.back().timeout = milliseconds(1);
    shop.real(entry("directory"), "to: " + files.dir / "out", true);
    const Outcome outcome = co_await run_job(loop, shop, files.body);
    EXPECT_EQ(outcome_name(outcome), "dead");
    EXPECT_EQ(shop.ended.at(0).error.code, Errc::timeout);
    EXPECT_EQ(shop.ended.at(0).report["error"]["step"], "xz_compress");
}
TEST(Fusing, AFilterHasItsOwnTime) {
    Files files;
    test::on_loop(too_slow, files);
}

Task<void> blames_the_filter(Loop& loop, Files& files) {
    Workshop shop(loop);
    shop.real(entry("unseal"), files.seal());
    shop.real(entry("xz_expand"), "{}");
    shop.real(entry("directory"), "to: " + files.dir / "out", true);
    const Outcome outcome = co_await run_job(loop, shop, files.body);
    EXPECT_EQ(outcome_name(outcome), "dead");
    EXPECT_EQ(shop.ended.at(0).report["error"]["step"], "unseal") << "not the sink's fault";
}
TEST(Fusing, TheFilterThatFailsIsToBlame) {
    Files files;
    test::on_loop(blames_the_filter, files);
}
}  // namespace
}  // namespace musher
