// shard_copy and shard_remove as a job runs them.
#include "pipelines/packs/shards/shard_sinks.h"

#include <gtest/gtest.h>

#include "pipelines/config/catalogue.h"
#include "tests/support/run_loop.h"
#include "tests/support/step_bench.h"
#include "tests/support/tree_listing.h"

namespace musher {
namespace {

namespace fs = std::filesystem;
using test::file_text;
using test::StepBench;
using test::TempDir;

class ShardSinks : public testing::Test {
  protected:
    ShardSinks() {
        fs::create_directories(shard + "/sub");
        fs::create_directory(dir / "ssd");
        std::ofstream(shard + "/one") << "one";
        std::ofstream(shard + "/sub/two") << "two";
        EXPECT_EQ(::mkfifo((shard + "/sub/pipe").c_str(), 0600), 0);
    }
    /// The options of both, for a user.
    std::string options(const std::string& user, const std::string& more = {}) const {
        return "{ shard: \"" + dir.path() + "/${event.name}\", id: \"" + user + "\", lock_dir: \"" +
               dir.path() + "\", ssd_dir: \"" + dir.path() + "/ssd\"" + more + " }";
    }
    TempDir dir;
    std::string shard = dir / "s2";
};

Task<void> copy(Loop& loop, std::string& options, Json& receipt) {
    StepBench bench(loop, shard_copy_spec(), make_shard_copy());
    bench.event.facts.edit()["name"] = "s2";
    receipt = co_await bench.receipt(options);
    co_await bench.close();
}
Task<void> remove(Loop& loop, std::string& options, Json& receipt) {
    StepBench bench(loop, shard_remove_spec(), make_shard_remove());
    bench.event.facts.edit()["name"] = "s2";
    receipt = co_await bench.receipt(options);
    co_await bench.close();
}
Task<void> fail_copy(Loop& loop, std::string& options, Error& error) {
    StepBench bench(loop, shard_copy_spec(), make_shard_copy());
    bench.event.facts.edit()["name"] = "s2";
    error = co_await bench.error(options);
    co_await bench.close();
}

TEST_F(ShardSinks, PlaceAShardForItsUsers) {
    Json receipt;
    std::string first = options("a"), verified = options("a", ", verify: true"),
                second = options("b");
    test::on_loop(copy, verified, receipt);
    ASSERT_TRUE(receipt.is_object()) << receipt;
    EXPECT_EQ(receipt["target"], dir / "ssd/s2");
    EXPECT_EQ(receipt["bytes"], 6);
    EXPECT_EQ(receipt["files"], 2);
    EXPECT_EQ(receipt["left_out"], 1);
    EXPECT_EQ(receipt["not_kept"], 0);
    EXPECT_EQ(receipt["copied"], true);
    EXPECT_EQ(receipt["users"], Json::array({"a"})) << receipt;
    fs::remove(shard + "/sub/pipe");
    fs::last_write_time(shard + "/sub", fs::last_write_time(dir / "ssd/s2/sub"));
    EXPECT_EQ(test::listing(dir / "ssd/s2"), test::listing(shard));

    test::on_loop(copy, second, receipt);
    ASSERT_TRUE(receipt.is_object()) << receipt;
    EXPECT_EQ(receipt["copied"], false);
    EXPECT_EQ(receipt["changed"], true);
    // An attempt after a crash between the effect and its receipt.
    test::on_loop(copy, second, receipt);
    EXPECT_EQ(receipt["changed"], false);
    EXPECT_EQ(file_text(dir / "s2.lock"), "a\nb");

    test::on_loop(remove, first, receipt);
    ASSERT_TRUE(receipt.is_object()) << receipt;
    EXPECT_EQ(receipt["removed"], false);
    EXPECT_EQ(receipt["users"], Json::array({"b"}));
    test::on_loop(remove, second, receipt);
    EXPECT_EQ(receipt["removed"], true);
    test::on_loop(remove, second, receipt);
    EXPECT_EQ(receipt["changed"], false);
    EXPECT_FALSE(fs::exists(dir / "s2.lock"));
    EXPECT_TRUE(fs::is_empty(dir / "ssd"));
}

Task<void> copy_odd(Loop& loop, std::string& options, Json& receipt) {
    StepBench bench(loop, shard_copy_spec(), make_shard_copy());
    bench.event.facts.edit()["name"] = "raw%FF%25";
    bench.event.facts.edit()["name_escaped"] = true;
    receipt = co_await bench.receipt(options);
    bench.event.facts.edit()["name_escaped"] = false;
    const Error error = co_await bench.error(options);
    EXPECT_EQ(error.code, Errc::not_found) << "its own percent signs";
    co_await bench.close();
}

TEST_F(ShardSinks, GiveBackTheBytesOfNames) {
    fs::rename(shard, dir / "raw\xff%");
    Json receipt;
    std::string odd = options("${event.name}");
    test::on_loop(copy_odd, odd, receipt);
    ASSERT_TRUE(receipt.is_object()) << receipt;
    EXPECT_EQ(file_text(dir / "raw\xff%.lock"), "raw\xff%");
    EXPECT_TRUE(fs::exists(dir / "ssd/raw\xff%/one"));
}

TEST_F(ShardSinks, BlameTheItemOrTheTarget) {
    Error error;
    std::string plain = options("a");
    fs::rename(shard, dir / "elsewhere");
    test::on_loop(fail_copy, plain, error);
    EXPECT_EQ(error.code, Errc::not_found);
    fs::rename(dir / "elsewhere", shard);
    fs::rename(dir / "ssd", dir / "unmounted");
    test::on_loop(fail_copy, plain, error);
    EXPECT_EQ(error.code, Errc::not_found) << error.text();
    std::string empty = options("${env.nobody or ''}");
    test::on_loop(fail_copy, empty, error);
    EXPECT_EQ(error.code, Errc::usage);
    EXPECT_FALSE(fs::exists(dir / "s2.lock"));
}

TEST_F(ShardSinks, AreInTheCatalogue) {
    for (const char* name : {"shard_copy", "shard_remove"}) {
        const StepEntry* entry = full_catalogue().find_step(name);
        ASSERT_NE(entry, nullptr) << name;
        EXPECT_EQ(entry->spec.repeats, Repeats::idempotent);
        EXPECT_FALSE(entry->make()->uses_body());
    }
}

}  // namespace
}  // namespace musher
