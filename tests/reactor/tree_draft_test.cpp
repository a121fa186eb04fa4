// Names that trees get and lose, and what killed processes left.
#include "reactor/tree/tree_draft.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "tests/support/temp_dir.h"
#include "tests/support/tree.h"

namespace musher {
namespace {

namespace fs = std::filesystem;
using test::TempDir;

TEST(Draft, GetsItsNameOnceAndIsNeverLeftover) {
    const TempDir dir;
    const std::string folder = dir.path();
    const NamelessTree draft = std::move(*make_draft(folder, "shard"));
    EXPECT_TRUE(find_leftovers(folder, "shard")->empty()) << "it is held";
    EXPECT_TRUE(sync_draft(draft));
    EXPECT_TRUE(publish_draft(draft, folder, "shard"));
    EXPECT_EQ(test::names_in(folder), std::vector<std::string>{"shard"});

    const NamelessTree second = std::move(*make_draft(folder, "shard"));
    EXPECT_EQ(publish_draft(second, folder, "shard").error().code, Errc::conflict);

    const NamelessTree trash = std::move(*make_trash(folder, "shard"));
    EXPECT_FALSE(fs::exists(dir / "shard"));
    EXPECT_TRUE(find_leftovers(folder, "")->empty());
    EXPECT_EQ(make_trash(folder, "shard").error().code, Errc::not_found);
}

// Who sweeps finds a folder that has just been made, before it is held.
TEST(Draft, IsMadeWhileOthersSweep) {
    const TempDir dir;
    const std::string folder = dir.path();
    std::atomic<bool> over = false;
    std::thread sweeping([&] {
        while (!over) {
            const auto found = find_leftovers(folder, "");
            for (const NamelessTree& one : *found) fs::remove(one.path);
        }
    });
    for (int i = 0; i < 5'000; ++i) {
        const Result<NamelessTree> draft = make_draft(folder, "shard");
        EXPECT_TRUE(draft) << draft.error().text();
        EXPECT_TRUE(draft && fs::remove(draft->path)) << "it is no more";
        if (HasFailure()) break;
    }
    over = true;
    sweeping.join();
    EXPECT_EQ(test::names_in(folder), std::vector<std::string>());
}

TEST(Draft, OfAKilledProcessIsFoundByItsNameAlone) {
    const TempDir dir;
    for (const char* name :
         {".shard.tmp.0123456789ab", ".shard.trash.0123456789ab", ".shard.tmp.0123456789xy",
          ".other.tmp.0123456789ab", ".shard.0123456789ab", "shard.tmp.0123456789ab"}) {
        fs::create_directory(dir / name);
    }
    const auto found = std::move(*find_leftovers(dir.path(), "shard"));
    ASSERT_EQ(found.size(), 2u);
    EXPECT_EQ(found[0].path, dir / ".shard.tmp.0123456789ab");
    EXPECT_EQ(found[1].path, dir / ".shard.trash.0123456789ab");
    EXPECT_EQ(find_leftovers(dir.path(), "")->size(), 1u) << "two are held now";
}

}  // namespace
}  // namespace musher
