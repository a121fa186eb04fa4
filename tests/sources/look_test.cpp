// Looks and claims on real files: what is ready, what is not, and what a claim leaves behind.
#include "sources/look.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include <algorithm>
#include <atomic>
#include <climits>
#include <limits>
#include <thread>

#include "reactor/base/clock.h"
#include "reactor/drivers/atomic_file.h"
#include "sources/work_path.h"
#include "tests/sources/look_folder.h"

namespace musher::hotfolder {
namespace {

TEST(Look, ClaimsACompleteFile) {
    const Folder folder;
    write_file(folder / "a.pdf", "twelve bytes");
    const LookResult result = folder.claim("a.pdf");
    ASSERT_EQ(result.outcome.finding, Finding::claimed);
    EXPECT_TRUE(result.proven);
    EXPECT_EQ(result.outcome.sample.size, 12u);
    EXPECT_EQ(read_file(result.path), "twelve bytes");
    EXPECT_FALSE(fs::exists(folder / "a.pdf"));
    const auto parsed = parse_work_path(result.path);
    ASSERT_TRUE(parsed.has_value());
    EXPECT_EQ(parsed->name, "a.pdf");
    EXPECT_EQ(parsed->folder, folder.dir.path());
    EXPECT_EQ(fs::status(folder / ".musher").permissions(), fs::perms::owner_all);
}

TEST(Look, LeavesAFileThatIsOpenForWriting) {
    const Folder folder;
    write_file(folder / "a");
    {
        const std::ofstream writer(folder / "a", std::ios::app);
        EXPECT_EQ(folder.find("a"), Finding::writing);
    }
    EXPECT_EQ(folder.find("a"), Finding::claimed);
}

TEST(Look, LeavesAFileThatIsMappedForWriting) {
    const Folder folder;
    write_file(folder / "a");
    int fd = ::open((folder / "a").c_str(), O_RDWR | O_CLOEXEC);
    void* map = ::mmap(nullptr, 4, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ASSERT_NE(map, MAP_FAILED);
    ::close(fd);
    EXPECT_EQ(folder.find("a"), Finding::writing);
    ::munmap(map, 4);
    EXPECT_EQ(folder.find("a"), Finding::claimed);
}

TEST(Look, ReadersDoNotHoldAFileBack) {
    const Folder folder;
    write_file(folder / "a");
    const std::ifstream reader(folder / "a");
    EXPECT_EQ(folder.find("a"), Finding::claimed);
}

TEST(Look, TakesOnlyRegularFiles) {
    const Folder folder;
    fs::create_symlink("/etc/passwd", folder / "link");
    ASSERT_EQ(::mkfifo((folder / "fifo").c_str(), 0600), 0);
    fs::create_directory(folder / "sub");
    const Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    (folder / "socket").copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
              0);
    for (const char* name : {"link", "fifo", "sub", "socket"}) {
        EXPECT_EQ(folder.find(name), Finding::odd) << name;
        EXPECT_TRUE(fs::exists(fs::symlink_status(folder / name))) << name;
    }
}

TEST(Look, ATimeThatIsTooFarAwayIsTheNearest) {
    std::vector<std::int64_t> times;
    for (const std::time_t seconds :
         {std::numeric_limits<std::time_t>::min(), std::time_t(-20'000'000'000), std::time_t(0),
          std::time_t(1'700'000'000), std::time_t(253'402'300'800),
          std::numeric_limits<std::time_t>::max()}) {
        struct stat status{};
        status.st_mtim = {seconds, 999'999'999};
        times.push_back(sample_of(status).mtime_ns);
    }
    EXPECT_TRUE(std::is_sorted(times.begin(), times.end()));
    EXPECT_EQ(format_time(times[0] / 1'000'000).substr(0, 4), "1677");
    EXPECT_EQ(times[3], 1'700'000'000'999'999'999);
    EXPECT_EQ(format_time(times[4] / 1'000'000).substr(0, 4), "2262");
}

TEST(Look, AVanishedFileIsNormal) {
    const Folder folder;
    EXPECT_EQ(folder.find("a"), Finding::gone);
    EXPECT_EQ(folder.claim("a", "no/such/folder").outcome.finding, Finding::gone);
}

TEST(Look, ASampleIsTakenWithoutOpeningTheFile) {
    const Folder folder;
    write_file(folder / "a");
    LookRequest request = Folder::request("a");
    request.look.sample_only = true;
    const LookResult first = folder.look(request);
    EXPECT_EQ(first.outcome.finding, Finding::sampled);
    request.look.sample_only = false;
    request.look.expected = first.outcome.sample;
    write_file(folder / "a", "rewritten");
    const LookResult second = folder.look(request);
    EXPECT_EQ(second.outcome.finding, Finding::changed);
    request.look.expected = second.outcome.sample;
    EXPECT_EQ(folder.look(request).outcome.finding, Finding::claimed);
}

TEST(Look, SizeAndMarkerAreAskedFor) {
    Folder folder;
    folder.rules.min_size = 3;
    folder.rules.marker = *MarkerPattern::parse("{name}.done");
    write_file(folder / "a", "1");
    EXPECT_EQ(folder.find("a"), Finding::marker_missing);
    write_file(folder / "a.done", "");
    EXPECT_EQ(folder.find("a"), Finding::too_small);
    write_file(folder / "a", "123");
    EXPECT_EQ(folder.find("a"), Finding::claimed);
}

TEST(Look, AFixedMarkerStays) {
    Folder folder;
    folder.rules.marker = *MarkerPattern::parse("READY");
    write_file(folder / "a");
    write_file(folder / "READY");
    EXPECT_EQ(folder.find("a"), Finding::claimed);
    EXPECT_TRUE(fs::exists(folder / "READY"));
}

TEST(Look, InPlaceNothingMovesAndTheIdIsTheFiles) {
    Folder folder;
    folder.rules.in_place = true;
    write_file(folder / "a", "1");
    const LookResult first = folder.claim("a");
    EXPECT_EQ(first.outcome.finding, Finding::steady);
    EXPECT_EQ(first.path, folder / "a");
    EXPECT_EQ(folder.claim("a").id, first.id);
    write_file(folder / "a", "22");
    EXPECT_NE(folder.claim("a").id, first.id) << "another content is another item";
}

TEST(Look, AnyBytesAreAName) {
    const Folder folder;
    const std::string names[] = {"-rf",
                                 "a\nb",
                                 "\xff\xfe",
                                 "%41",
                                 "'\";$(x)",
                                 std::string(218, 'n'),
                                 std::string(255, 'n'),
                                 std::string(255, '\xfe')};
    for (const std::string& name : names) {
        write_file(folder / name, name);
        const LookResult result = folder.claim(name);
        ASSERT_EQ(result.outcome.finding, Finding::claimed) << name;
        EXPECT_EQ(read_file(result.path), name);
        EXPECT_EQ(parse_work_path(result.path)->name, name);
    }
}

TEST(Look, ASubfolderIsMirroredInTheWorkFolder) {
    const Folder folder;
    fs::create_directories(folder / "a/b");
    write_file(folder / "a/b/c");
    const LookResult result = folder.claim("c", "a/b");
    ASSERT_EQ(result.outcome.finding, Finding::claimed);
    EXPECT_EQ(parse_work_path(result.path)->subfolder, "a/b");
}

TEST(Look, APathThatWouldNotFitIsRefusedWhereItLies) {
    Folder folder;
    std::string subfolder(100, 'd');
    while (folder.dir.path().size() + subfolder.size() < 3800) {
        subfolder += "/" + std::string(100, 'd');
    }
    const auto premises = folder.open();
    const Fd below = make_beneath(premises->root, subfolder, 0700);
    ASSERT_TRUE(below);
    const auto look = [&](const std::string& name) {
        Fd made(::openat(below.get(), name.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
        EXPECT_TRUE(made);
        made.reset();
        Looker looker(premises, folder.rules);
        return looker.look(Folder::request(name, subfolder));
    };
    // The claim's path is longer by the mirror's marks, the job's id and the work folder's name.
    const std::size_t parts =
        1 + static_cast<std::size_t>(std::count(subfolder.begin(), subfolder.end(), '/'));
    const std::size_t room =
        PATH_MAX - 1 - (premises->work_path.size() + 1 + subfolder.size() + parts + 1 + 36 + 1);
    ASSERT_LT(room, 218u);
    const LookResult refused = look(std::string(room + 1, 'n'));
    EXPECT_EQ(refused.outcome.finding, Finding::broken);
    EXPECT_EQ(refused.outcome.error, ENAMETOOLONG);
    EXPECT_EQ(::faccessat(below.get(), std::string(room + 1, 'n').c_str(), F_OK, 0), 0);
    const LookResult claimed = look(std::string(room, 'n'));
    ASSERT_EQ(claimed.outcome.finding, Finding::claimed);
    EXPECT_EQ(claimed.path.size(), PATH_MAX - 1u);
    EXPECT_TRUE(fs::exists(claimed.path));

    EXPECT_EQ(look("a").outcome.finding, Finding::claimed);
    folder.rules.longest_aside = PATH_MAX - subfolder.size() - 1 - 3 - 74;
    EXPECT_EQ(look("b").outcome.finding, Finding::claimed);
    ++folder.rules.longest_aside;
    EXPECT_EQ(look("c").outcome.error, ENAMETOOLONG) << "it could not go to failed/";
    folder.rules.in_place = true;
    EXPECT_EQ(look("c").outcome.error, ENAMETOOLONG);
}

TEST(Look, ASubfolderTurnedIntoASymlinkLeadsNowhere) {
    const Folder folder;
    const Folder victim;
    write_file(victim / "secret");
    fs::create_directory_symlink(victim.dir.path(), folder / "sub");
    EXPECT_EQ(folder.claim("secret", "sub").outcome.finding, Finding::gone);
    EXPECT_EQ(folder.claim("secret", "../" + victim.dir.path().substr(5)).outcome.finding,
              Finding::gone);
    EXPECT_TRUE(fs::exists(victim / "secret"));
}

TEST(Look, ReadsTheHopCount) {
    const Folder folder;
    write_file(folder / "a");
    if (::setxattr((folder / "a").c_str(), kHopsAttribute, "3", 1, 0) != 0) {
        GTEST_SKIP() << "no user xattrs here";
    }
    EXPECT_EQ(folder.claim("a").hops, 3);
}

TEST(Look, ASecondMusherOnTheFolderIsRefused) {
    const Folder folder;
    const auto first = folder.open();
    PremisesWish wish;
    wish.folder = folder.dir.path();
    wish.pipeline = "test";
    const auto second = open_premises(wish);
    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(second.error().code, Errc::conflict);
    wish.pipeline = "other";
    EXPECT_TRUE(open_premises(wish).has_value()) << "another pipeline may share the folder";
}

TEST(Look, AMissingFolderIsNotCreated) {
    const Folder folder;
    PremisesWish wish;
    wish.folder = folder / "unmounted";
    wish.pipeline = "test";
    EXPECT_EQ(open_premises(wish).error().code, Errc::not_found);
    EXPECT_FALSE(fs::exists(wish.folder));
}

TEST(Look, NoticesAnotherFolderInItsPlace) {
    const Folder folder;
    fs::create_directory(folder / "in");
    PremisesWish wish;
    wish.folder = folder / "in";
    wish.pipeline = "test";
    const auto premises = *open_premises(wish);
    EXPECT_TRUE(still_there(*premises));
    fs::rename(folder / "in", folder / "old");
    EXPECT_FALSE(still_there(*premises));
    EXPECT_FALSE(known_there(*premises));
    fs::create_directory(folder / "in");
    EXPECT_FALSE(still_there(*premises));
    EXPECT_FALSE(known_there(*premises));
    fs::remove(folder / "in");
    fs::rename(folder / "old", folder / "in");
    EXPECT_TRUE(still_there(*premises));  // and so in the kernel's memory, since 5.12
    EXPECT_TRUE(known_there(*premises));
}

// A writer that opens the file between the proof and the rename waits at the lease and is seen.
// Not so one that is inside open(2), has found (or just made) the file and is not yet counted as
// its writer: a gap of the kernel's own, which a processor taken away at that moment stretches.
// `settle` and the grace of new names are longer than that; this test has neither.
TEST(Look, NeverClaimsUnderAWriter) {
    const Folder folder;
    std::atomic<bool> stop = false;
    std::thread writer([&] {
        while (!stop) {
            Fd file(::open((folder / "a").c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0600));
            MUSHER_CHECK(static_cast<bool>(file));
            MUSHER_CHECK(write_all(file.get(), "begin").has_value());
            MUSHER_CHECK(write_all(file.get(), "end").has_value());
            file.reset();
            for (int i = 0; i < 100 && !stop; ++i) std::this_thread::yield();
        }
    });
    const auto premises = folder.open();
    int claimed = 0;
    int torn = 0;
    for (int i = 0; i < 1'000'000 && claimed < 5000; ++i) {
        Looker looker(premises, folder.rules);
        const LookResult result = looker.look(Folder::request("a"));
        if (result.outcome.finding != Finding::claimed) continue;
        ++claimed;
        if (read_file(result.path) != "beginend") ++torn;
        fs::remove(result.path);
    }
    stop = true;
    writer.join();
    EXPECT_GT(claimed, 0);
    EXPECT_LE(torn, 2) << "without the lease it is more than ten";
}

class FolderUnit : public testing::Test {
  protected:
    FolderUnit() {
        folder.rules.whole_folders = true;
        fs::create_directories(folder / "job/pages");
        write_file(folder / "job/ticket.xml", "12345");
        write_file(folder / "job/pages/1.pdf", "123");
    }
    Folder folder;
};

TEST_F(FolderUnit, IsClaimedWhole) {
    const LookResult result = folder.claim("job");
    ASSERT_EQ(result.outcome.finding, Finding::claimed);
    EXPECT_TRUE(result.proven);
    EXPECT_EQ(result.outcome.sample.size, 8u);
    EXPECT_EQ(read_file(result.path + "/pages/1.pdf"), "123");
    EXPECT_EQ(parse_work_path(result.path)->name, "job");
}

TEST_F(FolderUnit, ChangesWhenAnythingBelowChanges) {
    LookRequest request = Folder::request("job");
    request.look.sample_only = true;
    const FileSample first = folder.look(request).outcome.sample;
    EXPECT_EQ(folder.look(request).outcome.sample, first);
    write_file(folder / "job/pages/2.pdf", "");
    const FileSample second = folder.look(request).outcome.sample;
    EXPECT_NE(second, first);
    fs::rename(folder / "job/pages/2.pdf", folder / "job/pages/3.pdf");
    EXPECT_NE(folder.look(request).outcome.sample, second);
}

TEST_F(FolderUnit, WaitsForEveryWriterInside) {
    const std::ofstream writer(folder / "job/pages/1.pdf", std::ios::app);
    EXPECT_EQ(folder.find("job"), Finding::writing);
}

TEST_F(FolderUnit, AMarkerMayLieInside) {
    folder.rules.marker = *MarkerPattern::parse("{name}/READY");
    EXPECT_EQ(folder.find("job"), Finding::marker_missing);
    write_file(folder / "job/READY", "");
    EXPECT_EQ(folder.find("job"), Finding::claimed);
}

TEST(FsTraits, NetworkFileSystemsArePolledAndNotAskedForLeases) {
    EXPECT_FALSE(traits_of(0x6969).events);
    EXPECT_FALSE(traits_of(0xff534d42).leases);
    EXPECT_FALSE(traits_of(0x65735546).stable_inodes);
    EXPECT_TRUE(traits_of(0xef53).events);
    EXPECT_EQ(traits_of(0xef53).name, "local");
}

}  // namespace
}  // namespace musher::hotfolder
