// Looks at what other users drop, and at folders on other mounts.
#include <gtest/gtest.h>
#include <sys/mount.h>

#include "sources/work_path.h"
#include "tests/sources/look_folder.h"
#include "tests/support/as_user.h"

namespace musher::hotfolder {
namespace {

using test::holds_as;

// The file server's case: musher is neither root nor the owner of what people drop.
class OtherOwner : public testing::Test {
  protected:
    void SetUp() override {
        if (!test::is_root()) GTEST_SKIP() << "needs root to become other users";
        ASSERT_TRUE(holds_as(test::kUploadUser, false, [&] {
            write_file(folder / "a");
            fs::create_directory(folder / "job");
            write_file(folder / "job/b");
            return true;
        }));
    }
    Folder folder;
};

TEST_F(OtherOwner, WithTheCapabilityWritersAreProvable) {
    EXPECT_TRUE(holds_as(test::kMusherUser, true, [&] {
        const LookResult result = folder.claim("a");
        return result.outcome.finding == Finding::claimed && result.proven &&
               result.outcome.sample.uid == test::kUploadUser;
    }));
}

TEST_F(OtherOwner, WithoutItOnlyQuietCounts) {
    EXPECT_TRUE(holds_as(test::kMusherUser, false, [&] {
        if (folder.find("a") != Finding::unprovable) return false;
        LookRequest request = Folder::request("a");
        request.look.trust_quiet = true;
        const LookResult result = folder.look(request);
        return result.outcome.finding == Finding::claimed && !result.proven;
    }));
}

TEST_F(OtherOwner, AnUnreadableFileIsDenied) {
    fs::permissions(folder / "a", fs::perms::owner_read);
    EXPECT_TRUE(
        holds_as(test::kMusherUser, true, [&] { return folder.find("a") == Finding::denied; }));
}

TEST_F(OtherOwner, AStickyFolderRefusesTheClaim) {
    fs::permissions(folder.dir.path(), fs::perms::all | fs::perms::sticky_bit);
    EXPECT_TRUE(
        holds_as(test::kMusherUser, true, [&] { return folder.find("a") == Finding::denied; }));
    EXPECT_TRUE(fs::exists(folder / "a"));
}

TEST_F(OtherOwner, AnothersFolderIsWorkedOnWhereItStands) {
    folder.rules.whole_folders = true;
    EXPECT_TRUE(holds_as(test::kMusherUser, true, [&] {
        const LookResult result = folder.claim("job");
        return result.outcome.finding == Finding::steady && result.path == folder / "job";
    }));
}

TEST_F(OtherOwner, AFolderThatMayNotBeWrittenNeedsClaimNone) {
    fs::permissions(folder.dir.path(),
                    fs::perms::owner_all | fs::perms::others_read | fs::perms::others_exec);
    EXPECT_TRUE(holds_as(test::kMusherUser, true, [&] {
        PremisesWish wish;
        wish.folder = folder.dir.path();
        wish.pipeline = "test";
        if (open_premises(wish).error().code != Errc::denied) return false;
        wish.in_place = true;
        return open_premises(wish).has_value();
    }));
}

TEST(LookAcrossMounts, AMountInsideIsWorkedOnWhereItStands) {
    if (!test::is_root()) GTEST_SKIP() << "needs root to mount";
    const Folder folder;
    fs::create_directory(folder / "sub");
    const pid_t child = ::fork();
    if (child == 0) {
        if (::unshare(CLONE_NEWNS) != 0 ||
            ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
            ::mount("none", (folder / "sub").c_str(), "tmpfs", 0, nullptr) != 0) {
            ::_exit(2);
        }
        write_file(folder / "sub/a");
        const LookResult result = folder.claim("a", "sub");
        ::_exit(result.outcome.finding == Finding::steady && result.path == folder / "sub/a" ? 0
                                                                                             : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    if (WEXITSTATUS(status) == 2) GTEST_SKIP() << "may not mount here";
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace musher::hotfolder
