// Lock files of shards: their text, who holds them, and processes that race for one.
#include "pipelines/packs/shards/shard_lock.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <fstream>

#include "tests/support/temp_dir.h"
#include "tests/support/tree.h"
#include "tests/support/tree_listing.h"

namespace musher {
namespace {

using test::file_text;
using test::TempDir;
using Users = std::vector<std::string>;

ShardSpot spot_in(const std::string& folder) {
    return std::move(*find_spot("/srv/shard", folder, folder + "/ssd"));
}
ShardLock taken(const ShardSpot& spot) {
    Result<std::optional<ShardLock>> lock = ShardLock::try_take(spot);
    EXPECT_TRUE(lock && *lock);
    return std::move(**lock);
}
bool is_free(const ShardSpot& spot) {
    Result<std::optional<ShardLock>> lock = ShardLock::try_take(spot);
    return lock && *lock;
}

TEST(ShardSpot, IsNamedByTheLastPartOfItsPath) {
    for (const char* path :
         {"/srv/shard2", "/srv/shard2/", "/srv/shard2///", "shard2", "./shard2"}) {
        const Result<ShardSpot> spot = find_spot(path, "locks/", "ssd/");
        ASSERT_TRUE(spot) << path;
        EXPECT_EQ(spot->name, "shard2");
        EXPECT_EQ(spot->target(), "ssd/shard2");
        EXPECT_TRUE(spot->lock_path().ends_with("/locks/shard2.lock")) << spot->lock_path();
        EXPECT_TRUE(spot->lock_path().starts_with("/")) << spot->lock_path();
    }
    for (const std::string path : {"", "/", "//", ".", "..", "/srv/..", "a/."}) {
        EXPECT_EQ(find_spot(path, "l", "s").error().code, Errc::usage) << path;
    }
    for (const std::string path :
         {".s2.tmp.0123456789ab", "/a/.s2.trash.0123456789ab", ".s2.lock.tmp.0123456789ab"}) {
        EXPECT_EQ(find_spot(path, "l", "s").error().code, Errc::usage) << path;
    }
    for (const std::string path : {".hid", ".s2.tmp.0123456789xy", ".s2.lock.tmp.abcdefg"}) {
        EXPECT_TRUE(find_spot(path, "l", "s")) << path;
    }
    EXPECT_TRUE(find_spot(std::string(228, 'x'), "l", "s"));
    EXPECT_FALSE(find_spot(std::string(229, 'x'), "l", "s"));
    EXPECT_FALSE(find_spot("a", "", "s"));
    EXPECT_FALSE(find_spot("a", "l", ""));
}

TEST(ShardUsers, AreLinesWithoutANewlineAtTheEnd) {
    EXPECT_EQ(format_users({}), "");
    EXPECT_EQ(format_users({"a"}), "a");
    EXPECT_EQ(format_users({"b", "a c"}), "b\na c");
    EXPECT_EQ(parse_users("b\na c"), (Users{"b", "a c"}));
    EXPECT_EQ(parse_users("\n\nb\nb\n\na\n"), (Users{"b", "a"}));
    EXPECT_EQ(parse_users(""), Users());
    EXPECT_TRUE(check_user("instance 1/кофе"));
    EXPECT_FALSE(check_user(""));
    EXPECT_FALSE(check_user("a\nb"));
    EXPECT_FALSE(check_user(std::string("a\0b", 3)));
}

TEST(ShardLock, IsHeldByOneAndNamesItsUsers) {
    const TempDir dir;
    const ShardSpot spot = spot_in(dir.path());
    ShardLock lock = taken(spot);
    EXPECT_TRUE(ShardLock::is_held(spot.lock_path()));
    EXPECT_FALSE(is_free(spot));
    ASSERT_TRUE(lock.replace({"one", "two"}));
    EXPECT_EQ(file_text(dir / "shard.lock"), "one\ntwo");
    EXPECT_FALSE(is_free(spot)) << "the new file is locked too";
    lock.release();
    EXPECT_FALSE(ShardLock::is_held(spot.lock_path()));
    ShardLock again = taken(spot);
    EXPECT_EQ(again.users(), (Users{"one", "two"}));
    ASSERT_TRUE(again.replace({}));
    EXPECT_EQ(test::names_in(dir.path()), Users());
    again.release();
}

TEST(ShardLock, LeavesNoFileWithoutUsers) {
    const TempDir dir;
    const ShardSpot spot = spot_in(dir.path());
    taken(spot).release();
    EXPECT_EQ(test::names_in(dir.path()), Users());
}

TEST(ShardLock, KeepsWhoTheFileBelongsTo) {
    const TempDir dir;
    const ShardSpot spot = spot_in(dir.path());
    std::ofstream(dir / "shard.lock") << "old";
    ASSERT_EQ(::chmod((dir / "shard.lock").c_str(), 0664), 0);
    ShardLock lock = taken(spot);
    ASSERT_TRUE(lock.replace({"old", "new"}));
    struct stat info{};
    ASSERT_EQ(::stat((dir / "shard.lock").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0664u);
}

TEST(ShardLock, SweepsWhatAKilledHolderWasWriting) {
    const TempDir dir;
    const ShardSpot spot = spot_in(dir.path());
    for (const char* name : {".shard.lock.tmp.0123456789ab", ".shard2.lock.tmp.0123456789ab",
                             ".shard.lock.tmp.note", ".shard.lock.tmp.abcdefg.lock"}) {
        std::ofstream(dir / name) << "half";
    }
    taken(spot).release();
    EXPECT_EQ(test::names_in(dir.path()),
              (Users{".shard.lock.tmp.abcdefg.lock", ".shard.lock.tmp.note",
                     ".shard2.lock.tmp.0123456789ab"}));
}

TEST(ShardLock, IsAnErrorWhereItCannotBe) {
    const TempDir dir;
    EXPECT_EQ(ShardLock::try_take(spot_in(dir / "none")).error().code, Errc::not_found);
}

TEST(ShardLock, IsNothingElseThanAFile) {
    const TempDir dir;
    const ShardSpot spot = spot_in(dir.path());
    std::ofstream(dir / "other") << "root";
    const auto refused = [&](const char* what) {
        const Result<std::optional<ShardLock>> lock = ShardLock::try_take(spot);
        ASSERT_FALSE(lock) << what;
        EXPECT_EQ(lock.error().code, Errc::conflict) << what;
        EXPECT_NE(lock.error().text().find(spot.lock_path()), std::string::npos);
        EXPECT_EQ(ShardLock::users_of(spot.lock_path()).error().code, Errc::conflict) << what;
        EXPECT_FALSE(ShardLock::is_held(spot.lock_path()));
        std::filesystem::remove(spot.lock_path());
    };
    std::filesystem::create_directory(spot.lock_path());
    refused("folder");
    std::filesystem::create_symlink("other", spot.lock_path());
    refused("link");
    ASSERT_EQ(::mkfifo(spot.lock_path().c_str(), 0600), 0);
    refused("pipe");
    EXPECT_EQ(ShardLock::users_of(spot.lock_path()).error().code, Errc::not_found);
}

// Who has opened the file before its holder removed it holds a lock that nobody else sees.
TEST(ShardLock, OfAFileThatIsGoneMeanwhileIsNone) {
    const TempDir dir;
    const ShardSpot spot = spot_in(dir.path());
    ShardLock holder = taken(spot);
    const Fd waiter = std::move(*Fd::open(dir / "shard.lock", O_RDWR));
    ASSERT_TRUE(holder.replace({}));
    ShardLock next = taken(spot);
    ASSERT_EQ(::flock(waiter.get(), LOCK_EX | LOCK_NB), -1) << "the old file is still locked";
    holder.release();
    ASSERT_EQ(::flock(waiter.get(), LOCK_EX | LOCK_NB), 0)
        << "and now it is free, and worth nothing";
    EXPECT_FALSE(is_free(spot));
    EXPECT_TRUE(std::filesystem::exists(dir / "shard.lock")) << "of the next one, who holds it";
}

constexpr int kRacers = 6;
constexpr int kRounds = 10'000;

/// Takes the lock again and again; whoever else is inside has made the folder `inside`.
TEST(Role, DISABLED_Race) {
    const std::string folder = std::getenv("MUSHER_ROLE_FOLDER");
    const std::string self = std::to_string(::getpid());
    const ShardSpot spot = spot_in(folder);
    int doubles = 0;
    for (int round = 0; round < kRounds;) {
        Result<std::optional<ShardLock>> lock = ShardLock::try_take(spot);
        if (!lock) std::_Exit(99);
        if (!*lock) {
            ::sched_yield();
            continue;
        }
        ++round;
        doubles += ::mkdir((folder + "/inside").c_str(), 0700) != 0;
        Users users = (*lock)->users();
        const auto place = std::find(users.begin(), users.end(), self);
        if (place == users.end()) {
            users.push_back(self);
        } else {
            users.erase(place);
        }
        // With the last user the file goes, and the lock with it.
        if (users.empty()) ::rmdir((folder + "/inside").c_str());
        if (!(*lock)->replace(users)) std::_Exit(98);
        if (!users.empty()) ::rmdir((folder + "/inside").c_str());
        (*lock)->release();
    }
    std::_Exit(doubles > 90 ? 90 : doubles);
}

TEST(ShardLock, HasNeverTwoHoldersOf60000) {
    // In memory: what is raced for is the lock, not the disk.
    char name[] = "/dev/shm/musher-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    ASSERT_EQ(::setenv("MUSHER_ROLE_FOLDER", name, 1), 0);
    std::vector<pid_t> racers;
    for (int i = 0; i < kRacers; ++i) {
        const pid_t child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            ::execl("/proc/self/exe", "race", "--gtest_also_run_disabled_tests", "--gtest_brief=1",
                    "--gtest_filter=Role.DISABLED_Race", nullptr);
            ::_exit(127);
        }
        racers.push_back(child);
    }
    for (const pid_t racer : racers) {
        int status = 0;
        ASSERT_EQ(::waitpid(racer, &status, 0), racer);
        EXPECT_TRUE(WIFEXITED(status));
        EXPECT_EQ(WEXITSTATUS(status), 0) << "times that it was not alone";
    }
    // Each has added and removed itself 5,000 times: none is left, and no file.
    EXPECT_EQ(test::names_in(name), Users());
    std::filesystem::remove_all(name);
}

}  // namespace
}  // namespace musher
