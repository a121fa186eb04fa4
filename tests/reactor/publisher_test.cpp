// Group commit: many files at once, leftovers, and a disk that hangs.
#include "reactor/drivers/publisher.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>

#include "reactor/base/digest.h"
#include "tests/support/eventually.h"
#include "tests/support/hanging_file.h"
#include "tests/support/run_loop.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tree.h"

namespace musher {
namespace {

namespace fs = std::filesystem;
using test::file_text;
using test::names_in;

void write_file(const std::string& path, const std::string& content) {
    std::ofstream(path) << content;
}

struct Many {
    test::TempDir dir;
    std::size_t count = 600;  // more than two batches
    Cancel cancel;
    std::vector<Result<Published>> made = std::vector<Result<Published>>(count);
};
Task<void> publish_one(Publisher& publisher, Many& many, std::size_t i) {
    Publication wanted;
    wanted.source = many.dir / "source";
    wanted.folder = many.dir / (i % 2 == 0 ? "even" : "odd");
    // Twenty want one name.
    wanted.name = i < 20 ? "same" : std::to_string(i);
    wanted.job = "job-" + std::to_string(i);
    many.made[i] = co_await publisher.publish(std::move(wanted), many.cancel);
}
Task<void> publish_many(Loop& loop, Many& many) {
    Publisher publisher(loop);
    Scope scope("test", loop.ready(), loop.clock());
    for (std::size_t i = 0; i < many.count; ++i) {
        scope.spawn("publish", publish_one(publisher, many, i));
    }
    co_await scope.join();
    co_await publisher.close();
}
TEST(Publisher, ManyAtOnceEachUnderItsOwnName) {
    Many many;
    write_file(many.dir / "source", "abc");
    for (const char* folder : {"even", "odd"}) fs::create_directory(many.dir / folder);
    test::on_loop(publish_many, many);
    Digest digest(DigestKind::sha256);
    digest.update(as_bytes("abc"));
    const std::string expected = digest.hex();
    std::set<std::string> paths;
    for (const Result<Published>& made : many.made) {
        ASSERT_TRUE(made.has_value()) << made.error().text();
        EXPECT_EQ(made->bytes, 3u);
        EXPECT_EQ(made->sha256, expected);
        EXPECT_TRUE(paths.insert(made->path).second) << made->path;
        EXPECT_EQ(file_text(made->path), "abc");
    }
    EXPECT_EQ(names_in(many.dir / "even").size() + names_in(many.dir / "odd").size(), 600u);
}

Task<void> publish_as(Publisher& publisher, std::string source, std::string name, Cancel& cancel,
                      Result<Published>& made) {
    Publication wanted;
    wanted.source = source;
    wanted.folder = source + ".d";
    wanted.name = std::move(name);
    made = co_await publisher.publish(std::move(wanted), cancel);
}
Task<void> leaves(Loop& loop, const test::TempDir& dir) {
    const std::string source = dir / "a";
    test::HangingFile target(source);
    if (!target.possible()) co_return;  // no leases on this filesystem
    Publisher stuck(loop);
    Publisher well(loop);
    Cancel impatient;
    Cancel patient;
    Result<Published> first, second, third;
    Scope scope("test", loop.ready(), loop.clock());
    scope.spawn("first", publish_as(stuck, source, "begun", impatient, first));
    auto waiting = [&] { return target.somebody_waits(); };
    co_await test::eventually(loop, waiting);
    scope.spawn("second", publish_as(stuck, source, "unbegun", impatient, second));
    co_await publish_as(well, dir / "b", "b", patient, third);
    EXPECT_TRUE(third.has_value()) << "another Publisher was held up";
    impatient.request(Errc::timeout, "took too long");
    co_await scope.join();
    EXPECT_EQ(first.error().code, Errc::timeout);
    EXPECT_EQ(second.error().code, Errc::timeout);
    EXPECT_TRUE(target.somebody_waits());
    target.let_go();
    co_await stuck.close();
    co_await well.close();
    EXPECT_EQ(names_in(source + ".d"), std::vector<std::string>{"begun"});
}
TEST(Publisher, ACancelIsHeardThoughTheDiskHangs) {
    const test::TempDir dir;
    write_file(dir / "a", "abc");
    write_file(dir / "b", "abc");
    test::on_loop(leaves, dir);
}

TEST(OpenBody, ReadsOnlyTheFileThatWasTaken) {
    const test::TempDir dir;
    write_file(dir / "a", "abc");
    write_file(dir / "b", "abc");
    struct stat info{};
    ASSERT_EQ(::stat((dir / "a").c_str(), &info), 0);
    const FileIdentity a = identity_of(Json{{"dev", info.st_dev}, {"ino", info.st_ino}});
    EXPECT_TRUE(open_body(dir / "a", a).has_value());
    EXPECT_TRUE(open_body(dir / "a", identity_of(Json{{"ino", "x"}})).has_value());
    const Error other = open_body(dir / "b", a).error();
    EXPECT_EQ(other.code, Errc::conflict);
    EXPECT_EQ(other.message, dir / "b is another file than the one that was taken");
    ASSERT_EQ(::symlink("a", (dir / "link").c_str()), 0);
    EXPECT_EQ(open_body(dir / "link").error().message, dir / "link is a link");
    ASSERT_EQ(::mkfifo((dir / "pipe").c_str(), 0600), 0);
    EXPECT_EQ(open_body(dir / "pipe").error().message, dir / "pipe is no regular file");
    EXPECT_EQ(open_body(dir.path()).error().code, Errc::usage);
    EXPECT_EQ(open_body(dir / "none").error().code, Errc::not_found);
}

TEST(Publisher, SweepsWhatAKilledProcessLeft) {
    Many many;
    many.count = 4;
    write_file(many.dir / "source", "abc");
    const timespec old[2] = {{1000, 0}, {1000, 0}};
    for (const char* folder : {"even", "odd"}) {
        fs::create_directory(many.dir / folder);
        const std::string left = many.dir / (std::string(folder) + "/.a.musher-tmp-0123456789ab");
        write_file(left, "half");
        ASSERT_EQ(::utimensat(AT_FDCWD, left.c_str(), old, 0), 0);
    }
    test::on_loop(publish_many, many);
    EXPECT_EQ(names_in(many.dir / "even"), (std::vector<std::string>{"same", "same-2"}));
    EXPECT_EQ(names_in(many.dir / "odd"), (std::vector<std::string>{"same", "same-2"}));
}

}  // namespace
}  // namespace musher
