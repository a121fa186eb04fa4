// Names, collisions, copies and moves on real files; what a killed process does to them is in
// files_crash_test.
#include "reactor/drivers/files.h"

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <ctime>
#include <fstream>

#include "reactor/base/digest.h"
#include "tests/support/as_user.h"
#include "tests/support/run_loop.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tree.h"

namespace musher {
namespace {

namespace fs = std::filesystem;
using test::file_text;
using test::names_in;

void write_file(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
}
/// Commits `text` as `name` for `job`; its final name, or the error's.
std::string commit(const std::string& folder, const std::string& name, const std::string& text,
                   const std::string& job, Collision collision = Collision::number) {
    Result<AtomicFile> file = AtomicFile::create(folder, name, 0640, text.size());
    if (!file) return std::string(info(file.error().code).name);
    EXPECT_TRUE(write_all(file->fd().get(), text).has_value());
    file->mark(job, 1);
    const Result<std::string> path = file->commit(collision);
    if (!path) return std::string(info(path.error().code).name);
    return path->substr(path->rfind('/') + 1);
}

TEST(AtomicFile, TakesANumberOrReplacesOrFails) {
    const test::TempDir dir;
    EXPECT_EQ(commit(dir.path(), "a.pdf", "1", "j1"), "a.pdf");
    EXPECT_EQ(commit(dir.path(), "a.pdf", "2", "j2"), "a-2.pdf");
    EXPECT_EQ(commit(dir.path(), "a.pdf", "3", "j3"), "a-3.pdf");
    EXPECT_EQ(commit(dir.path(), "a.pdf", "4", "j4", Collision::fail), "conflict");
    EXPECT_EQ(file_text(dir / "a.pdf"), "1");
    EXPECT_EQ(commit(dir.path(), "a.pdf", "5", "j5", Collision::replace), "a.pdf");
    EXPECT_EQ(file_text(dir / "a.pdf"), "5");
    EXPECT_EQ(names_in(dir.path()), (std::vector<std::string>{"a-2.pdf", "a-3.pdf", "a.pdf"}));
    struct stat info{};
    EXPECT_EQ(::stat((dir / "a.pdf").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777u, 0640u);
}

TEST(AtomicFile, ALaterAttemptReplacesItsOwnFile) {
    const test::TempDir dir;
    EXPECT_EQ(commit(dir.path(), "a", "stranger", "j1"), "a");
    EXPECT_EQ(commit(dir.path(), "a", "first", "j2"), "a-2");
    EXPECT_EQ(commit(dir.path(), "a", "again", "j2"), "a-2");
    EXPECT_EQ(file_text(dir / "a-2"), "again");
    EXPECT_EQ(commit(dir.path(), "b", "first", "j2", Collision::fail), "b");
    EXPECT_EQ(commit(dir.path(), "b", "again", "j2", Collision::fail), "b");
    EXPECT_EQ(commit(dir.path(), "b", "no job", "", Collision::fail), "conflict");
    const std::string longest = std::string(36, 'j') + "/" + std::string(64, 's');
    EXPECT_EQ(commit(dir.path(), "c", "first", longest), "c");
    EXPECT_EQ(commit(dir.path(), "c", "again", longest), "c");
    EXPECT_EQ(commit(dir.path(), "c", "another", longest.substr(0, 64)), "c-2");
}

TEST(AtomicFile, DroppedItLeavesNothing) {
    const test::TempDir dir;
    {
        Result<AtomicFile> file = AtomicFile::create(dir.path(), "a", 0600, 100);
        ASSERT_TRUE(file.has_value());
        AtomicFile moved = std::move(*file);
        EXPECT_EQ(names_in(dir.path()).size(), 1u);
    }
    EXPECT_TRUE(names_in(dir.path()).empty());
    EXPECT_EQ(AtomicFile::create(dir / "none", "a", 0600, 0).error().code, Errc::not_found);
}

TEST(AtomicFile, NamesStayWithinWhatAFileSystemTakes) {
    const test::TempDir dir;
    const std::string longest = std::string(251, 'x') + ".pdf";
    EXPECT_EQ(commit(dir.path(), longest, "1", "j1"), longest);
    EXPECT_EQ(commit(dir.path(), longest, "2", "j2"), std::string(249, 'x') + "-2.pdf");
    EXPECT_EQ(commit(dir.path(), std::string(256, 'x'), "", "j"), "usage");
    for (const char* name : {"", ".", "..", "a/b"}) {
        EXPECT_EQ(commit(dir.path(), name, "", "j"), "usage") << name;
    }
    EXPECT_EQ(check_entry_name(std::string_view("a\0b", 3)).error().code, Errc::usage);
    EXPECT_EQ(numbered_name("a.tar.gz", 2), "a.tar-2.gz");
    EXPECT_EQ(numbered_name(".hidden", 2), ".hidden-2");
    EXPECT_EQ(numbered_name("none", 10), "none-10");
    std::string letters;
    for (int i = 0; i < 127; ++i) letters += "\u00e4";
    EXPECT_EQ(numbered_name(letters, 2), letters.substr(0, 252) + "-2") << "no half character";
    EXPECT_EQ(numbered_name("a." + std::string(253, 'x'), 2).size(), 255u);
    EXPECT_EQ(commit(dir.path(), "a." + std::string(253, 'x'), "1", "j1").size(), 255u);
    EXPECT_EQ(commit(dir.path(), "a." + std::string(253, 'x'), "2", "j2").size(), 255u);
}

TEST(Sweep, RemovesOldTemporariesAndNothingElse) {
    const test::TempDir dir;
    const timespec old[2] = {{std::time(nullptr) - 7200, 0}, {std::time(nullptr) - 7200, 0}};
    for (const char* name :
         {".a.musher-tmp-0123456789ab", "b.musher-tmp-0123456789ab", ".c", "d"}) {
        write_file(dir / name, "x");
        ASSERT_EQ(::utimensat(AT_FDCWD, (dir / name).c_str(), old, 0), 0);
    }
    write_file(dir / ".e.musher-tmp-0123456789ab", "being written");
    fs::create_directory(dir / ".f.musher-tmp-0123456789ab");
    sweep_temporaries(dir.path());
    sweep_temporaries(dir / "none");
    EXPECT_EQ(names_in(dir.path()), (std::vector<std::string>{".c", ".e.musher-tmp-0123456789ab",
                                                              ".f.musher-tmp-0123456789ab",
                                                              "b.musher-tmp-0123456789ab", "d"}));
}

TEST(Move, ByItsPolicy) {
    const test::TempDir dir;
    const auto move = [&](const std::string& to, Collision collision) {
        write_file(dir / "from", "new");
        const auto moved = move_files({Move{dir / "from", dir / to, collision}});
        if (!moved[0]) return std::string(info(moved[0].error().code).name);
        return moved[0]->substr(dir.path().size() + 1);
    };
    EXPECT_EQ(move("deep/er/a.pdf", Collision::fail), "deep/er/a.pdf");
    EXPECT_EQ(move("deep/er/a.pdf", Collision::number), "deep/er/a-2.pdf");
    EXPECT_EQ(move("deep/er/a.pdf", Collision::fail), "conflict");
    EXPECT_EQ(file_text(dir / "from"), "new");
    write_file(dir / "deep/er/a.pdf", "old");
    EXPECT_EQ(move("deep/er/a.pdf", Collision::replace), "deep/er/a.pdf");
    EXPECT_EQ(file_text(dir / "deep/er/a.pdf"), "new");
    EXPECT_EQ(move("deep/er/a.pdf/b", Collision::number), "not_found");
}

TEST(Move, ReplacingAnotherLinkOfTheSameFileEndsTheSource) {
    const test::TempDir dir;
    write_file(dir / "a", "1");
    fs::create_hard_link(dir / "a", dir / "b");
    const auto moved = move_files({Move{dir / "a", dir / "b", Collision::replace}});
    EXPECT_EQ(moved.front().value_or("?"), dir / "b");
    EXPECT_EQ(names_in(dir.path()), (std::vector<std::string>{"b"}));
    EXPECT_EQ(file_text(dir / "b"), "1");
}

TEST(Move, EachAnswersForItself) {
    const test::TempDir dir;
    write_file(dir / "a", "a");
    write_file(dir / "c", "c");
    fs::create_directory(dir / "d");
    const auto moved = move_files({Move{dir / "a", dir / "out/a"}, Move{dir / "b", dir / "out/b"},
                                   Move{dir / "c", dir / "out/a"}, Move{dir / "d", dir / "out/d"}});
    EXPECT_EQ(moved[0].value(), dir / "out/a");
    EXPECT_EQ(moved[1].error().code, Errc::not_found);
    EXPECT_EQ(moved[2].value(), dir / "out/a-2");
    EXPECT_EQ(moved[3].value(), dir / "out/d");
    EXPECT_EQ(names_in(dir / "out"), (std::vector<std::string>{"a", "a-2", "d"}));
}

/// A folder on another file system than `dir`, or empty.
std::string elsewhere(const test::TempDir& dir) {
    struct stat here{}, there{};
    char name[] = "/dev/shm/musher-XXXXXX";
    if (::stat(dir.path().c_str(), &here) != 0 || ::stat("/dev/shm", &there) != 0) return "";
    return here.st_dev != there.st_dev && ::mkdtemp(name) ? name : "";
}

TEST(Move, AcrossFileSystemsKeepsTheFileAsItWas) {
    const test::TempDir dir;
    const std::string other = elsewhere(dir);
    if (other.empty()) GTEST_SKIP() << "one file system only";
    const std::string content(5'000'001, 'x');
    write_file(dir / "a", content);
    fs::permissions(dir / "a", fs::perms::owner_read | fs::perms::group_read);
    const timespec times[2] = {{1000, 7}, {2000, 9}};
    ASSERT_EQ(::utimensat(AT_FDCWD, (dir / "a").c_str(), times, 0), 0);
    write_file(other + "/a", "stranger");
    fs::create_symlink("a", dir / "link");
    fs::create_directory(dir / "folder");
    const auto moved =
        move_files({Move{dir / "a", other + "/a"}, Move{dir / "link", other + "/link"},
                    Move{dir / "folder", other + "/folder"}, Move{dir / "none", other + "/none"}});
    EXPECT_EQ(moved[0].value(), other + "/a-2");
    EXPECT_TRUE(file_text(other + "/a-2") == content);
    struct stat info{};
    ASSERT_EQ(::stat((other + "/a-2").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777u, 0440u);
    EXPECT_EQ(info.st_mtim.tv_sec, 2000);
    for (const std::size_t refused : {1u, 2u}) {
        EXPECT_EQ(moved[refused].error().code, Errc::usage) << moved[refused].error().text();
    }
    EXPECT_EQ(moved[3].error().code, Errc::not_found);
    EXPECT_EQ(names_in(dir.path()), (std::vector<std::string>{"folder", "link"}));
    EXPECT_EQ(names_in(other), (std::vector<std::string>{"a", "a-2"}));
    fs::remove_all(other);
}

/// In a child with mounts of its own; 2 when it may not mount.
template <class F>
int in_own_mounts(F body) {
    std::fflush(nullptr);
    const pid_t child = ::fork();
    MUSHER_CHECK(child >= 0);
    if (child == 0) {
        if (::unshare(CLONE_NEWNS) != 0 ||
            ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
            ::_exit(2);
        }
        ::_exit(body() ? 0 : 1);
    }
    int status = 0;
    MUSHER_CHECK(::waitpid(child, &status, 0) == child);
    return WEXITSTATUS(status);
}

TEST(Move, BetweenTwoMountsOfOneFileSystemCopies) {
    if (!test::is_root()) GTEST_SKIP() << "needs root to mount";
    const test::TempDir dir;
    fs::create_directory(dir / "in");
    fs::create_directory(dir / "out");
    write_file(dir / "in/a", "content");
    const int held = in_own_mounts([&] {
        for (const char* name : {"in", "out"}) {
            const std::string path = dir / name;
            if (::mount(path.c_str(), path.c_str(), nullptr, MS_BIND, nullptr) != 0) ::_exit(2);
        }
        const auto moved = move_files({Move{dir / "in/a", dir / "out/a"}});
        return moved[0] && *moved[0] == dir / "out/a" && names_in(dir / "in").empty();
    });
    if (held == 2) GTEST_SKIP() << "may not mount here";
    EXPECT_EQ(held, 0);
    EXPECT_EQ(file_text(dir / "out/a"), "content");
}

TEST(AtomicFile, AFullFileSystemIsFullEarlyAndKeepsNothing) {
    if (!test::is_root()) GTEST_SKIP() << "needs root to mount";
    const test::TempDir dir;
    fs::create_directory(dir / "small");
    write_file(dir / "a", std::string(2 << 20, 'x'));
    const int held = in_own_mounts([&] {
        if (::mount("none", (dir / "small").c_str(), "tmpfs", 0, "size=1m") != 0) ::_exit(2);
        const std::string small = dir / "small";
        const Result<AtomicFile> early = AtomicFile::create(small, "a", 0600, 2 << 20);
        if (early || early.error().code != Errc::full || !names_in(small).empty()) return false;
        Result<AtomicFile> late = AtomicFile::create(small, "a", 0600, 0);
        const Result<Fd> source = Fd::open(dir / "a", O_RDONLY);
        const Result<std::uint64_t> copied = copy_bytes(*source, late->fd());
        if (copied || copied.error().code != Errc::full) return false;
        *late = AtomicFile();
        const auto moved = move_files({Move{dir / "a", small + "/a"}});
        return !moved[0] && moved[0].error().code == Errc::full && names_in(small).empty() &&
               fs::exists(dir / "a");
    });
    if (held == 2) GTEST_SKIP() << "may not mount here";
    EXPECT_EQ(held, 0);
}

TEST(Copy, EveryLength) {
    const test::TempDir dir;
    for (const std::size_t size : {0u, 1u, (1u << 20) - 1, 1u << 20, (1u << 20) + 1, 5'000'000u}) {
        const std::string content(size, 'y');
        write_file(dir / "a", content);
        const Result<Fd> from = Fd::open(dir / "a", O_RDONLY);
        const Result<Fd> to = Fd::open(dir / "b", O_WRONLY | O_CREAT | O_TRUNC);
        EXPECT_EQ(copy_bytes(*from, *to).value(), size);
        EXPECT_TRUE(file_text(dir / "b") == content) << size;
    }
}

}  // namespace
}  // namespace musher
