// directory: names, modes, collisions, what it refuses, and that a retry repeats nothing.
#include "sinks/directory.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "reactor/base/digest.h"
#include "reactor/drivers/atomic_file.h"
#include "reactor/filters/xz.h"
#include "tests/support/as_user.h"
#include "tests/support/eventually.h"
#include "tests/support/hanging_file.h"
#include "tests/support/run_loop.h"
#include "tests/support/step_bench.h"
#include "tests/support/tree.h"

namespace musher {
namespace {

namespace fs = std::filesystem;
using test::file_text;
using test::names_in;
using test::StepBench;

std::string sha256(const std::string& text) {
    Digest digest(DigestKind::sha256);
    digest.update(as_bytes(text));
    return digest.hex();
}
mode_t mode_of(const std::string& path) {
    struct stat info{};
    EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
    return info.st_mode & 07777;
}

Task<void> names(Loop& loop) {
    StepBench bench(loop, directory_spec(), make_directory());
    bench.write_body("abc");
    const std::string to = "to: " + bench.dir / "out";
    const Json receipt = co_await bench.receipt(to);
    EXPECT_EQ(receipt["target"], bench.dir / "out/a b.txt");
    EXPECT_EQ(receipt["bytes"], 3);
    EXPECT_EQ(receipt["sha256"], sha256("abc"));
    EXPECT_EQ(file_text(bench.dir / "out/a b.txt"), "abc");
    EXPECT_EQ(mode_of(bench.dir / "out/a b.txt"), 0644u);
    const Json named = co_await bench.receipt("{ to: \"" + bench.dir / "out///" +
                                              "\", name: \"${event.size}.pdf\", mode: '0600' }");
    EXPECT_EQ(named["target"], bench.dir / "out/3.pdf");
    EXPECT_EQ(mode_of(bench.dir / "out/3.pdf"), 0600u);
    const Json templated =
        co_await bench.receipt("to: \"" + bench.dir / "out/by ${event.size}" + "\"");
    EXPECT_EQ(templated["target"], bench.dir / "out/by 3/a b.txt") << "its last part is made";
    co_await bench.close();
}
TEST(Directory, WritesTheBodyUnderItsName) { test::on_loop(names); }

Task<void> bytes_that_are_no_text(Loop& loop) {
    StepBench bench(loop, directory_spec(), make_directory());
    bench.write_body("abc");
    bench.event.facts.edit()["name"] = "caf%E9.txt";
    bench.event.facts.edit()["name_escaped"] = true;
    const Json receipt = co_await bench.receipt("to: " + bench.dir / "out");
    EXPECT_EQ(receipt["target"], bench.dir / "out/caf%E9.txt");
    EXPECT_EQ(names_in(bench.dir / "out"), std::vector<std::string>{"caf\xe9.txt"});
    bench.event.facts.edit()["name_escaped"] = false;
    const Json plain = co_await bench.receipt("to: " + bench.dir / "out");
    EXPECT_EQ(plain["target"], bench.dir / "out/caf%E9.txt") << "its own percent sign";
    co_await bench.close();
}
TEST(Directory, GivesBackTheBytesOfAName) { test::on_loop(bytes_that_are_no_text); }

Task<void> escapes(Loop& loop) {
    StepBench bench(loop, directory_spec(), make_directory());
    bench.write_body("abc");
    const std::string to = "to: \"" + bench.dir / "out/in/${event.stem}\"";
    bench.event.facts.edit()["stem"] = "%2E%2E%2F%2E%2E%2Fescaped";
    const Json literal = co_await bench.receipt(to);
    EXPECT_EQ(literal["target"], bench.dir / "out/in/%2E%2E%2F%2E%2E%2Fescaped/a b.txt");
    bench.event.facts.edit()["name_escaped"] = true;
    const Json still = co_await bench.receipt(to);
    EXPECT_EQ(still["target"], literal["target"]) << "no name is ever escaped so";
    bench.event.facts.edit()["name_escaped"] = false;
    for (const char* stem : {"..", "../../x", "a/../../x"}) {
        bench.event.facts.edit()["stem"] = stem;
        const Error refused = co_await bench.error(to);
        EXPECT_EQ(refused.code, Errc::usage) << stem;
        EXPECT_EQ(refused.message, "an expression gives the path a `..` or a NUL byte");
        const Error named =
            co_await bench.error("{ to: \"" + bench.dir / "out" + "\", name: \"${event.stem}\" }");
        EXPECT_EQ(named.code, Errc::usage) << stem;
    }
    EXPECT_EQ(names_in(bench.dir / "out"), std::vector<std::string>{"in"});
    bench.event.facts = Json{{"name", 5}, {"name_escaped", "yes"}, {"size", 3}};
    const Json odd = co_await bench.receipt("to: " + bench.dir / "out");
    EXPECT_EQ(odd["target"], bench.dir / ("out/" + bench.job)) << "facts of an event made by hand";
    co_await bench.close();
}
TEST(Directory, NoNameLeadsOutOfTheFolder) { test::on_loop(escapes); }

Task<void> links(Loop& loop) {
    StepBench bench(loop, directory_spec(), make_directory());
    bench.write_body("abc");
    fs::rename(bench.body.path, bench.dir / "secret");
    fs::create_symlink(bench.dir / "secret", bench.body.path);
    const Error link = co_await bench.error("to: " + bench.dir / "out");
    EXPECT_EQ(link.text(), bench.body.path + " is a link");
    std::vector<std::unique_ptr<Filter>> filters;
    filters.push_back(make_xz_encoder(XzEncodeOptions{.level = 1}).value());
    const Json packed = co_await bench.receipt_filtered("to: " + bench.dir / "out", filters);
    EXPECT_EQ(packed, bench.body.path + " is a link");
    fs::remove(bench.body.path);
    EXPECT_EQ(::mkfifo(bench.body.path.c_str(), 0600), 0);
    const Error pipe = co_await bench.error("to: " + bench.dir / "out");
    EXPECT_EQ(pipe.text(), bench.body.path + " is no regular file");
    co_await bench.close();
}
TEST(Directory, ReadsNoLinkAndNoPipeInTheBodysPlace) { test::on_loop(links); }

Task<void> collisions(Loop& loop) {
    StepBench bench(loop, directory_spec(), make_directory());
    bench.write_body("first");
    const std::string to = "to: " + bench.dir / "out";
    const Json first = co_await bench.receipt(to);
    const Json again = co_await bench.receipt(to);
    EXPECT_EQ(first["target"], again["target"]) << "a retry replaces its own file";
    bench.job = "another";
    bench.write_body("second");
    const Error taken = co_await bench.error(to + "\ncollision: fail");
    EXPECT_EQ(taken.code, Errc::conflict);
    const Json numbered = co_await bench.receipt(to);
    EXPECT_EQ(numbered["target"], bench.dir / "out/a b-2.txt");
    EXPECT_EQ(file_text(bench.dir / "out/a b.txt"), "first");
    bench.job = "third";
    const Json replaced = co_await bench.receipt(to + "\ncollision: replace");
    EXPECT_EQ(replaced["target"], bench.dir / "out/a b.txt");
    EXPECT_EQ(file_text(bench.dir / "out/a b.txt"), "second");
    EXPECT_EQ(names_in(bench.dir / "out"), (std::vector<std::string>{"a b-2.txt", "a b.txt"}));
    co_await bench.close();
}
TEST(Directory, KeepsOthersFilesAndReplacesItsOwn) { test::on_loop(collisions); }

Task<void> refusals(Loop& loop) {
    StepBench bench(loop, directory_spec(), make_directory());
    const Error bodiless = co_await bench.error("to: " + bench.dir / "out");
    EXPECT_EQ(bodiless.code, Errc::usage);
    bench.write_body("abc");
    const Json deep = co_await bench.receipt("to: " + bench.dir / "new/deep/er");
    EXPECT_EQ(deep["target"], bench.dir / "new/deep/er/a b.txt");
    const Error parent = co_await bench.error("to: " + bench.dir / "body/out");
    EXPECT_EQ(parent.code, Errc::unavailable) << parent.text();
    EXPECT_EQ(parent.hint, "create it, or mount what belongs there");
    const Error file = co_await bench.error("to: " + bench.dir / "body");
    EXPECT_EQ(file.code, Errc::denied);
    for (const char* name : {"a/b", "..", "."}) {
        const Error bad =
            co_await bench.error("{ to: " + bench.dir / "out" + ", name: " + name + " }");
        EXPECT_EQ(bad.code, Errc::usage) << name;
    }
    for (const char* mode : {"'0888'", "rw", "'010000'", "'4755'", "'1777'"}) {
        const Error bad =
            co_await bench.error("{ to: " + bench.dir / "out" + ", mode: " + mode + " }");
        EXPECT_EQ(bad.code, Errc::usage) << mode;
    }
    const Error user =
        co_await bench.error("{ to: " + bench.dir / "out" + ", owner: no-such-user }");
    EXPECT_EQ(user.message, "`owner`: there is no user 'no-such-user'");
    fs::remove(bench.body.path);
    const Error gone = co_await bench.error("to: " + bench.dir / "out");
    EXPECT_EQ(gone.code, Errc::not_found);
    EXPECT_TRUE(!fs::exists(bench.dir / "out") || names_in(bench.dir / "out").empty());
    co_await bench.close();
}
TEST(Directory, SaysWhatItCannotDo) { test::on_loop(refusals); }

Task<void> marks(Loop& loop) {
    StepBench bench(loop, directory_spec(), make_directory());
    bench.write_body("abc");
    bench.event.hops = 3;
    const std::string path = bench.dir / "out/a b.txt";
    const Json receipt = co_await bench.receipt("to: " + bench.dir / "out");
    EXPECT_EQ(receipt["target"], path);
    char hops[8] = {};
    if (::lgetxattr(path.c_str(), kHopsAttribute, hops, sizeof hops - 1) > 0) {
        EXPECT_STREQ(hops, "4");
    }
    if (test::is_root()) {
        const Json given = co_await bench.receipt("{ to: " + bench.dir / "out" +
                                                  ", name: given, owner: \"daemon:daemon\" }");
        struct stat info{};
        EXPECT_EQ(::stat((bench.dir / "out/given").c_str(), &info), 0);
        EXPECT_NE(info.st_uid, 0u);
        EXPECT_NE(info.st_gid, 0u);
    }
    co_await bench.close();
}
TEST(Directory, MarksWhatItWroteAndGivesItAway) { test::on_loop(marks); }

Task<void> run_into(StepBench& bench, std::string yaml, Result<StepResult>& result) {
    result = co_await bench.run(std::move(yaml));
}
Task<void> hangs_alone(Loop& loop) {
    StepBench bench(loop, directory_spec(), make_directory());
    bench.write_body("abc");
    test::HangingFile body(bench.body.path);
    if (!body.possible()) co_return;  // no leases on this filesystem
    Result<StepResult> stuck;
    Scope scope("test", loop.ready(), loop.clock());
    scope.spawn("stuck", run_into(bench, "to: " + bench.dir / "out", stuck));
    auto waiting = [&] { return body.somebody_waits(); };
    co_await test::eventually(loop, waiting);
    bench.id = "another-sink";
    bench.body.path = bench.dir / "other";
    std::ofstream(bench.body.path) << "abc";
    const Json receipt = co_await bench.receipt("{ to: " + bench.dir / "out" + ", name: b }");
    EXPECT_EQ(receipt["target"], bench.dir / "out/b");
    body.let_go();
    co_await scope.join();
    EXPECT_TRUE(stuck.has_value());
    co_await bench.close();
}
TEST(Directory, OneThatHangsStopsNoOther) { test::on_loop(hangs_alone); }

Task<void> large(Loop& loop) {
    StepBench bench(loop, directory_spec(), make_directory());
    const std::string text(10'000'001, 'x');
    bench.write_body(text);
    const Json receipt = co_await bench.receipt("to: " + bench.dir / "out");
    EXPECT_EQ(receipt["bytes"], text.size());
    EXPECT_EQ(receipt["sha256"], sha256(text));
    EXPECT_TRUE(file_text(bench.dir / "out/a b.txt") == text);
    EXPECT_TRUE(std::is_sorted(bench.percents.begin(), bench.percents.end()));
    EXPECT_EQ(bench.percents.empty() ? 0 : bench.percents.back(), 100);
    bench.cancel.request();
    const Error stopped = co_await bench.error("{ to: " + bench.dir / "out" + ", name: b }");
    EXPECT_EQ(stopped.code, Errc::cancelled);
    EXPECT_EQ(names_in(bench.dir / "out"), std::vector<std::string>{"a b.txt"});
    co_await bench.close();
}
TEST(Directory, ALargeBodyShowsItsProgressAndCanBeCancelled) { test::on_loop(large); }

Task<void> filtered(Loop& loop) {
    StepBench bench(loop, directory_spec(), make_directory());
    const std::string text(3'000'000, 'x');
    bench.write_body(text);
    std::vector<std::unique_ptr<Filter>> filters;
    filters.push_back(make_xz_encoder(XzEncodeOptions{.level = 1}).value());
    const Json receipt =
        co_await bench.receipt_filtered("{ to: " + bench.dir / "out" + ", name: a.xz }", filters);
    const std::string packed = file_text(bench.dir / "out/a.xz");
    EXPECT_LT(packed.size(), text.size());
    EXPECT_EQ(receipt["bytes"], packed.size());
    EXPECT_EQ(receipt["sha256"], sha256(packed));
    EXPECT_EQ(std::system(("xz -t " + bench.dir / "out/a.xz").c_str()), 0);
    std::vector<std::unique_ptr<Filter>> broken;
    broken.push_back(make_xz_decoder(XzDecodeOptions{}).value());
    const Json refused =
        co_await bench.receipt_filtered("{ to: " + bench.dir / "out" + ", name: b }", broken);
    EXPECT_EQ(refused, "not an .xz file");
    EXPECT_EQ(names_in(bench.dir / "out"), std::vector<std::string>{"a.xz"});
    co_await bench.close();
}
TEST(Directory, TakesTheBodyThroughFilters) { test::on_loop(filtered); }

}  // namespace
}  // namespace musher
