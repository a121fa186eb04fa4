// Trees of files: copied as `cp -a` does it, compared, measured and removed.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include "reactor/tree/tree_compare.h"
#include "reactor/tree/tree_copy.h"
#include "reactor/tree/tree_draft.h"
#include "reactor/tree/tree_measure.h"
#include "reactor/tree/tree_remove.h"
#include "tests/support/run_loop.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tree_listing.h"

namespace musher {
namespace {

namespace fs = std::filesystem;
using test::listing;
using test::TempDir;

void write(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
}
std::string noise(std::size_t size) {
    std::mt19937_64 random(size);
    std::string bytes(size + 8, '\0');
    for (std::size_t at = 0; at < size; at += 8) {
        const std::uint64_t eight = random();
        std::memcpy(bytes.data() + at, &eight, 8);
    }
    bytes.resize(size);
    return bytes;
}
/// Takes a hand several turns to copy, so that on_progress comes in the middle.
constexpr std::size_t kLasting = 200 << 20;

/// Bytes at some offsets, holes between and behind them.
void write_sparse(const std::string& path, std::vector<off_t> offsets, off_t size) {
    const Fd file = std::move(*Fd::open(path, O_WRONLY | O_CREAT));
    for (const off_t offset : offsets) {
        ASSERT_EQ(::pwrite(file.get(), "data", 4, offset), 4);
    }
    ASSERT_EQ(::ftruncate(file.get(), size), 0);
}
void set_time(const std::string& path, time_t seconds, long nanoseconds) {
    const timespec times[2] = {{seconds, nanoseconds}, {seconds, nanoseconds}};
    ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW), 0);
}
void set_attribute(const std::string& path, const char* name, const std::string& value) {
    ASSERT_EQ(::lsetxattr(path.c_str(), name, value.data(), value.size(), 0), 0) << name;
}

/// Everything that a tree may hold.
void build(const std::string& root) {
    fs::create_directories(root + "/a/b/c");
    fs::create_directories(root + "/empty");
    fs::create_directories(root + "/many");
    for (int i = 0; i < 2000; ++i) write(root + "/many/" + std::to_string(i), std::to_string(i));
    std::string deep = root;
    for (int i = 0; i < 120; ++i) deep += "/d";
    fs::create_directories(deep);
    write(deep + "/bottom", "b");
    constexpr unsigned kMiB = 1 << 20;
    for (const unsigned size : {0u, 1u, 4096u, kMiB - 1, kMiB, kMiB + 1, 3 * kMiB}) {
        write(root + "/a/" + std::to_string(size), noise(size));
    }
    write(root + "/a/large", noise((65 << 20) + 17));
    write_sparse(root + "/sparse", {0, 9 << 20}, 20 << 20);
    write_sparse(root + "/hole", {}, 5 << 20);
    write_sparse(root + "/large_sparse", {1 << 20, 65 << 20, (80 << 20) - 4}, 80 << 20);
    write(root + "/a/linked", "one file, three names");
    fs::create_hard_link(root + "/a/linked", root + "/many/linked");
    fs::create_hard_link(root + "/a/linked", root + "/a/b/linked");
    fs::create_symlink("../a/linked", root + "/a/link");
    fs::create_symlink("/nowhere/at all", root + "/a/dangling");
    ASSERT_EQ(::linkat(AT_FDCWD, (root + "/a/dangling").c_str(), AT_FDCWD,
                       (root + "/many/dangling").c_str(), 0),
              0);
    fs::create_symlink("..", root + "/a/b/up");
    for (const char* name : {"with space", "new\nline", "caf\xe9", "кофе", "-rf"}) {
        write(root + "/a/b/" + name, name);
    }
    set_attribute(root + "/a/1", "user.colour", "green");
    set_attribute(root + "/a/1", "user.large", std::string(3000, 'x'));
    set_attribute(root + "/empty", "user.colour", "blue");
    EXPECT_EQ(test::run_program({"setfacl", "-m", "u:4001:rw", root + "/a/4096"}), 0);
    EXPECT_EQ(test::run_program({"setfacl", "-m", "d:u:4001:rwx,u:4002:rx", root + "/a/b"}), 0);
    if (::geteuid() == 0) {
        ASSERT_EQ(::lchown((root + "/a/b").c_str(), 4001, 4002), 0);
        ASSERT_EQ(::lchown((root + "/a/link").c_str(), 4001, 4002), 0);
        ASSERT_EQ(::lchown((root + "/a/1048576").c_str(), 4001, 4002), 0);
    }
    ASSERT_EQ(::chmod((root + "/a/1048576").c_str(), 06755), 0);
    ASSERT_EQ(::chmod((root + "/a/0").c_str(), 0), 0);
    ASSERT_EQ(::chmod((root + "/empty").c_str(), 01777), 0);
    ASSERT_EQ(::chmod((root + "/a/b").c_str(), 02750), 0);
    set_time(root + "/a/1", 1, 999'999'999);
    set_time(root + "/a/link", 5'000'000'000, 1);
    ASSERT_EQ(::chmod((root + "/a/b/c").c_str(), 0555), 0);
    set_time(root + "/a/b", 1'000'000'000, 123);
    set_time(root, 1'100'000'000, 321);
}

Task<void> copy(Loop& loop, const std::string& from, const std::string& to, TreeCopyOptions options,
                Result<TreeTotals>& made) {
    fs::create_directory(to);
    Cancel never;
    made = co_await copy_tree(loop, from, std::move(*Fd::open(to, O_RDONLY)), options, never);
}
Result<TreeTotals> copied(const std::string& from, const std::string& to,
                          TreeCopyOptions options = {}) {
    Result<TreeTotals> made = fail(Errc::internal, "");
    test::on_loop(copy, from, to, options, made);
    return made;
}

struct Outcome {
    TreeCompareOptions how;
    TreeMeasure measure;
    TreeComparison comparison;
    Result<void> done;
};
Task<void> measure(Loop& loop, const std::string& path, Outcome& outcome) {
    Cancel never;
    Result<TreeMeasure> found = co_await measure_tree(loop, path, CrewOptions(), never);
    if (found) outcome.measure = std::move(*found);
    if (!found) outcome.done = fail(found.error());
}
Task<void> compare(Loop& loop, const std::string& one, const std::string& other, Outcome& outcome) {
    Cancel never;
    Result<TreeComparison> found = co_await compare_trees(loop, one, other, outcome.how, never);
    if (found) outcome.comparison = std::move(*found);
    if (!found) outcome.done = fail(found.error());
}
Task<void> remove_one(Loop& loop, const std::string& path, Outcome& outcome) {
    Cancel never;
    outcome.done = co_await remove_tree(loop, path, CrewOptions(), never);
}
Outcome compared(const std::string& one, const std::string& other, bool trust_times = false) {
    Outcome outcome;
    outcome.how.trust_times = trust_times;
    test::on_loop(compare, one, other, outcome);
    return outcome;
}
std::vector<std::string> lines(const Outcome& outcome) { return outcome.comparison.differing; }

TEST(Tree, IsCopiedAsCpDoesIt) {
    const TempDir dir;
    build(dir / "from");
    ASSERT_EQ(test::run_program({"cp", "-a", dir / "from", dir / "cp"}), 0);
    const Result<TreeTotals> made = copied(dir / "from", dir / "to");
    ASSERT_TRUE(made) << made.error().text();
    EXPECT_EQ(listing(dir / "to"), listing(dir / "cp"));
    EXPECT_EQ(listing(dir / "to"), listing(dir / "from"));
    EXPECT_EQ(made->unkept, 0u);

    Outcome measured;
    const std::string path = dir / "from";
    test::on_loop(measure, path, measured);
    EXPECT_TRUE(measured.done);
    const TreeTotals& totals = measured.measure.totals;
    EXPECT_EQ(totals.files, made->files);
    EXPECT_EQ(totals.folders, made->folders);
    EXPECT_EQ(totals.links, 4u);
    EXPECT_EQ(made->links, 4u);
    EXPECT_EQ(totals.bytes, made->bytes);
    EXPECT_GT(totals.allocated, 65u << 20);
    EXPECT_LT(totals.allocated, 80u << 20) << "holes take no room";
    EXPECT_TRUE(fs::is_regular_file(measured.measure.sample));

    EXPECT_EQ(lines(compared(dir / "from", dir / "to")), std::vector<std::string>());
}

TEST(Tree, InheritsNothingFromTheFolderItIsPutInto) {
    const TempDir dir;
    build(dir / "from");
    fs::create_directory(dir / "ssd");
    EXPECT_EQ(test::run_program({"setfacl", "-m", "d:u:4007:rwx", dir / "ssd"}), 0);
    ASSERT_EQ(::chmod((dir / "ssd").c_str(), 02777), 0);
    if (::geteuid() == 0) {
        ASSERT_EQ(::chown((dir / "ssd").c_str(), 0, 4002), 0);
    }
    const Result<NamelessTree> draft = make_draft(dir / "ssd", "shard");
    ASSERT_TRUE(draft) << draft.error().text();
    const Result<TreeTotals> made = copied(dir / "from", draft->path);
    ASSERT_TRUE(made) << made.error().text();
    EXPECT_EQ(listing(draft->path), listing(dir / "from"));
}

TEST(Tree, SpecialFilesAreLeftOutAndCounted) {
    const TempDir dir;
    fs::create_directory(dir / "from");
    write(dir / "from/file", "x");
    ASSERT_EQ(::mkfifo((dir / "from/pipe").c_str(), 0600), 0);
    const Result<TreeTotals> made = copied(dir / "from", dir / "to");
    ASSERT_TRUE(made) << made.error().text();
    EXPECT_EQ(made->skipped, 1u);
    EXPECT_EQ(test::names_in(dir / "to"), std::vector<std::string>{"file"});
    EXPECT_EQ(lines(compared(dir / "from", dir / "to")), std::vector<std::string>());
}

TEST(Tree, AFileThatGrowsMeanwhileIsAConflict) {
    const TempDir dir;
    fs::create_directory(dir / "from");
    write(dir / "from/large", noise(kLasting));
    TreeCopyOptions options;
    options.crew.hands = 1;
    options.on_progress = [&](const TreeTotals& now) {
        if (now.files == 0) std::ofstream(dir / "from/large", std::ios::app) << "more";
    };
    const Result<TreeTotals> made = copied(dir / "from", dir / "to", options);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, Errc::conflict);
    EXPECT_NE(made.error().text().find("from/large: it changed while"), std::string::npos)
        << made.error().text();
}

TEST(Tree, AFileThatShrinksMeanwhileIsAConflict) {
    const TempDir dir;
    fs::create_directory(dir / "from");
    write(dir / "from/large", noise(kLasting));
    TreeCopyOptions options;
    options.crew.hands = 1;
    options.on_progress = [&](const TreeTotals&) { fs::resize_file(dir / "from/large", 5); };
    const Result<TreeTotals> made = copied(dir / "from", dir / "to", options);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, Errc::conflict) << made.error().text();
}

TEST(Tree, AFileThatComesMeanwhileIsAConflict) {
    const TempDir dir;
    fs::create_directory(dir / "from");
    write(dir / "from/large", noise(kLasting));
    TreeCopyOptions options;
    options.crew.hands = 1;
    options.on_progress = [&](const TreeTotals& now) {
        if (now.files == 0) write(dir / "from/late", "x");
    };
    const Result<TreeTotals> made = copied(dir / "from", dir / "to", options);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, Errc::conflict);
}

TEST(Tree, WhatGoesMeanwhileIsAConflict) {
    for (const std::string kind : {"file", "link", "folder", "replaced"}) {
        const TempDir dir;
        fs::create_directory(dir / "from");
        write(dir / "from/large", noise(kLasting));
        // More than a piece of names, so that the large file is copied before the last ones.
        std::vector<std::string> names;
        for (int i = 0; i < 150; ++i) {
            const std::string& name = names.emplace_back(dir / ("from/" + std::to_string(i)));
            if (kind == "file") write(name, "x");
            if (kind == "link") fs::create_symlink("large", name);
            if (kind == "folder" || kind == "replaced") fs::create_directory(name);
        }
        TreeCopyOptions options;
        options.crew.hands = 1;
        bool done = false;
        options.on_progress = [&](const TreeTotals&) {
            if (std::exchange(done, true)) return;
            for (const std::string& name : names) {
                fs::remove(name);
                if (kind == "replaced") write(name, "x");
            }
        };
        const Result<TreeTotals> made = copied(dir / "from", dir / "to", options);
        ASSERT_FALSE(made) << kind;
        const std::string text = made.error().text();
        EXPECT_EQ(made.error().code, Errc::conflict) << text;
        EXPECT_NE(text.find(": it changed while"), std::string::npos) << text;
        EXPECT_NE(text.find("/from/"), std::string::npos) << "not by the folder's time: " << text;
    }
}

TEST(Tree, IsNotCopiedIntoItself) {
    const TempDir dir;
    fs::create_directories(dir / "from/in");
    const Result<TreeTotals> made = copied(dir / "from", dir / "from/in/to");
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, Errc::usage) << made.error().text();
}

TEST(Tree, TakesWhatIsNoFolderForAnError) {
    const TempDir dir;
    write(dir / "file", "x");
    EXPECT_EQ(copied(dir / "none", dir / "to").error().code, Errc::not_found);
    EXPECT_EQ(copied(dir / "file", dir / "to2").error().code, Errc::not_found);
}

Task<void> cancelled_copy(Loop& loop, const std::string& from, const std::string& to,
                          Result<TreeTotals>& made) {
    fs::create_directory(to);
    Cancel cancel;
    TreeCopyOptions options;
    options.on_progress = [&](const TreeTotals&) { cancel.request(Errc::timeout, "too late"); };
    made = co_await copy_tree(loop, from, std::move(*Fd::open(to, O_RDONLY)), options, cancel);
}

TEST(Tree, ACopyCanBeCancelled) {
    const TempDir dir;
    fs::create_directory(dir / "from");
    write(dir / "from/large", noise(kLasting));
    Result<TreeTotals> made = fail(Errc::internal, "");
    const std::string from = dir / "from", to = dir / "to";
    test::on_loop(cancelled_copy, from, to, made);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, Errc::timeout);
}

TEST(Tree, ComparisonNamesEveryDifference) {
    const TempDir dir;
    for (const char* side : {"a", "b"}) {
        fs::create_directories(dir / (std::string(side) + "/sub/deep"));
        for (const char* name : {"same", "content", "size", "sub/gone", "kind"}) {
            write(dir / (std::string(side) + "/" + name), "12345");
        }
        fs::create_symlink("here", dir / (std::string(side) + "/link"));
    }
    write(dir / "b/content", "12354");
    write(dir / "b/size", "1234567");
    fs::remove(dir / "b/sub/gone");
    fs::remove_all(dir / "b/sub/deep");
    write(dir / "b/sub/more", "");
    fs::remove(dir / "b/kind");
    fs::create_directory(dir / "b/kind");
    fs::remove(dir / "b/link");
    fs::create_symlink("there", dir / "b/link");
    const Outcome outcome = compared(dir / "a", dir / "b");
    EXPECT_EQ(lines(outcome),
              (std::vector<std::string>{"content: has another content",
                                        "kind: is no file in the copy", "link: points elsewhere",
                                        "size: has another size", "sub/deep: is missing",
                                        "sub/gone: is missing", "sub/more: is in the copy alone"}));
    EXPECT_EQ(outcome.comparison.differences, 7u);
}

TEST(Tree, ComparisonTrustsTimesWhereItIsTold) {
    const TempDir dir;
    for (const char* side : {"a", "b"}) {
        fs::create_directory(dir / side);
        for (const char* name : {"same", "touched", "written", "longer"}) {
            const std::string path = dir / (std::string(side) + "/" + name);
            write(path, "12345");
            set_time(path, 1'000'000'000, 7);
        }
    }
    set_time(dir / "b/touched", 1'000'000'000, 8);
    write(dir / "b/written", "54321");
    write(dir / "b/longer", "123456");
    set_time(dir / "b/longer", 1'000'000'000, 7);
    write(dir / "b/same", "54321");
    set_time(dir / "b/same", 1'000'000'000, 7);
    EXPECT_EQ(
        lines(compared(dir / "a", dir / "b", true)),
        (std::vector<std::string>{"longer: has another size", "written: has another content"}));
    EXPECT_EQ(lines(compared(dir / "a", dir / "b")).size(), 3u);
}

TEST(Tree, IsRemovedWithItsReadOnlyFoldersAndWithoutFollowingLinks) {
    const TempDir dir;
    build(dir / "tree");
    fs::create_directory(dir / "outside");
    write(dir / "outside/file", "x");
    fs::create_symlink("../outside", dir / "tree/out");
    Outcome outcome;
    const std::string path = dir / "tree";
    test::on_loop(remove_one, path, outcome);
    EXPECT_TRUE(outcome.done) << outcome.done.error().text();
    EXPECT_FALSE(fs::exists(dir / "tree"));
    EXPECT_TRUE(fs::exists(dir / "outside/file"));
    test::on_loop(remove_one, path, outcome);
    EXPECT_TRUE(outcome.done) << "what is gone is no fault";
}

}  // namespace
}  // namespace musher
