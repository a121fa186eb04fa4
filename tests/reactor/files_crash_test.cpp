// Publishing and moving files, killed and failed at every system call: what is found afterwards.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <fstream>

#include "reactor/drivers/files.h"
#include "reactor/drivers/publisher.h"
#include "tests/support/run_loop.h"
#include "tests/support/sanitized.h"
#include "tests/support/temp_dir.h"
#include "tests/support/traced.h"
#include "tests/support/tree.h"

namespace musher {
namespace {

namespace fs = std::filesystem;
using test::file_text;
using test::Traced;
using test::TracedCall;

const std::string kContent(3 << 20, 'x');  // three slices
constexpr const char* kNames[] = {"a", "b", "c", "d", "e", "f"};

int code_of(const Error& error) { return 100 + static_cast<int>(error.code); }

// --- roles: what is traced -------------------------------------------------------------------

Task<void> publish_one(Publisher& publisher, std::string folder, std::string name, int& code) {
    Publication wanted;
    wanted.source = folder + "/in/" + name;
    wanted.folder = folder + "/out";
    wanted.name = name;
    wanted.job = "job-" + name + "/copy";
    Cancel never;
    const Result<Published> made = co_await publisher.publish(std::move(wanted), never);
    if (!made) code = code_of(made.error());
}
Task<void> publish_all(Loop& loop, std::vector<std::string>& names, int& code) {
    Publisher publisher(loop);
    Scope scope("role", loop.ready(), loop.clock());
    for (const std::string& name : names) {
        scope.spawn(name, publish_one(publisher, test::role_folder(), name, code));
    }
    co_await scope.join();
    co_await publisher.close();
}
void run_publish(std::vector<std::string> names) {
    int code = 0;
    test::on_loop(publish_all, names, code);
    test::end_role(code);
}
TEST(Role, DISABLED_PublishOne) { run_publish({"a"}); }
// The first file is a batch of its own; the others come while it is written.
TEST(Role, DISABLED_PublishThree) { run_publish({"a", "b", "c"}); }
TEST(Role, DISABLED_PublishSix) { run_publish({"a", "b", "c", "d", "e", "f"}); }
TEST(Role, DISABLED_Move) {
    const std::string folder = test::role_folder();
    const auto moved = move_files({Move{folder + "/in/a", folder + "/out/a"}});
    test::end_role(moved[0] ? 0 : code_of(moved[0].error()));
}
TEST(Role, DISABLED_MoveDeep) {
    const std::string folder = test::role_folder();
    const auto moved = move_files({Move{folder + "/in/a", folder + "/out/new/deep/a"}});
    test::end_role(moved[0] ? 0 : code_of(moved[0].error()));
}

// --- what is found ---------------------------------------------------------------------------

class FilesCrash : public testing::Test {
  protected:
    void SetUp() override {
        if (!test::can_trace()) GTEST_SKIP() << "strace may not trace here";
        reset();
    }
    void reset() {
        for (const char* folder : {"in", "out"}) {
            fs::remove_all(dir / folder);
            fs::create_directory(dir / folder);
        }
        for (const char* name : kNames) std::ofstream(dir / "in" / name) << kContent;
    }
    /// Final names in out/; each must be whole.
    std::vector<std::string> published() const {
        std::vector<std::string> names;
        for (const auto& entry : fs::directory_iterator(dir / "out")) {
            const std::string name = entry.path().filename();
            if (name.starts_with(".")) {
                EXPECT_NE(name.find(".musher-tmp-"), std::string::npos) << name;
                continue;
            }
            EXPECT_TRUE(file_text(entry.path()) == kContent) << name << " is not whole";
            names.push_back(name);
        }
        std::sort(names.begin(), names.end());
        return names;
    }
    std::size_t temporaries() const {
        return static_cast<std::size_t>(
                   std::distance(fs::directory_iterator(dir / "out"), fs::directory_iterator())) -
               published().size();
    }
    /// The calls that change files, from the first temporary file on, in their thread.
    static std::vector<TracedCall> steps(const Traced& traced) {
        std::vector<TracedCall> found;
        for (const TracedCall& call : traced.calls) {
            const bool begins = call.name == "openat" && call.has(".musher-tmp-");
            if (!found.empty() ? call.thread == found[0].thread : begins) found.push_back(call);
        }
        return found;
    }
    test::TempDir temporary_;
    fs::path dir = temporary_.path();
};

std::string at(const TracedCall& call) { return call.name + ":when=" + std::to_string(call.nth); }

/// Place of the first call like that; -1 when there is none.
int place(const std::vector<TracedCall>& calls, const std::string& name, const std::string& text) {
    for (std::size_t i = 0; i < calls.size(); ++i) {
        if (calls[i].name.starts_with(name) && calls[i].has(text)) return static_cast<int>(i);
    }
    return -1;
}
int last_place(const std::vector<TracedCall>& calls, const std::string& name,
               const std::string& text) {
    for (std::size_t i = calls.size(); i > 0; --i) {
        if (calls[i - 1].name.starts_with(name) && calls[i - 1].has(text)) {
            return static_cast<int>(i) - 1;
        }
    }
    return -1;
}

TEST_F(FilesCrash, AFileIsWrittenSyncedRenamedAndItsFolderSynced) {
    const Traced traced = test::run_traced("PublishThree", dir);
    ASSERT_EQ(traced.code, 0);
    EXPECT_EQ(published(), (std::vector<std::string>{"a", "b", "c"}));
    const std::string folder = "<" + (dir / "out").string() + ">";
    for (const char* name : {"a", "b", "c"}) {
        const std::string temporary = "/." + std::string(name) + ".musher-tmp-";
        const int written = last_place(traced.calls, "write", temporary);
        const int marked = last_place(traced.calls, "fsetxattr", temporary);
        const int synced = place(traced.calls, "fsync", temporary);
        const int rename = place(traced.calls, "rename", temporary);
        EXPECT_GE(written, 0) << name;
        EXPECT_LT(written, synced) << name;
        EXPECT_LT(marked, synced) << name;
        EXPECT_LT(synced, rename) << name;
        EXPECT_LT(rename, last_place(traced.calls, "fsync", folder)) << name;
    }
    const auto folder_syncs = std::count_if(
        traced.calls.begin(), traced.calls.end(),
        [&](const TracedCall& call) { return call.name == "fsync" && call.has(folder); });
    EXPECT_EQ(folder_syncs, 2) << "one for each batch, not one for each file";
}

TEST_F(FilesCrash, ALargeBatchIsSyncedAtOnceBeforeItsRenames) {
    const Traced traced = test::run_traced("PublishSix", dir);
    ASSERT_EQ(traced.code, 0);
    EXPECT_EQ(published().size(), 6u);
    const int synced = place(traced.calls, "syncfs", ".musher-tmp-");
    ASSERT_GE(synced, 0);
    for (const char* name : {"b", "c", "d", "e", "f"}) {
        const std::string temporary = "/." + std::string(name) + ".musher-tmp-";
        EXPECT_LT(last_place(traced.calls, "write", temporary), synced) << name;
        EXPECT_LT(synced, place(traced.calls, "rename", temporary)) << name;
    }
}

TEST_F(FilesCrash, KilledAnywhereNothingHalfHasAFinalName) {
    const Traced whole = test::run_traced("PublishOne", dir);
    const std::vector<TracedCall> calls = steps(whole);
    ASSERT_GE(calls.size(), 9u);
    for (const TracedCall& call : calls) {
        if (call.name == "openat")
            continue;  // a killed open does nothing that the next call's kill lacks
        reset();
        const Traced killed = test::run_traced(
            "PublishOne", dir, {call.name + ":signal=KILL:when=" + std::to_string(call.nth)});
        EXPECT_EQ(killed.signal, SIGKILL) << at(call);
        EXPECT_LE(published().size(), 1u) << at(call);
        // The job's next attempt makes the one file there is, or replaces its own.
        EXPECT_EQ(test::run_traced("PublishOne", dir).code, 0) << at(call);
        EXPECT_EQ(published(), std::vector<std::string>{"a"}) << at(call);
    }
}

TEST_F(FilesCrash, AFailedCallIsAnErrorAndLeavesNothing) {
    struct Case {
        const char* inject;
        Errc code;
    };
    for (const Case& one : {Case{"fallocate:error=ENOSPC:when=1", Errc::full},
                            Case{"write:error=ENOSPC:when=2", Errc::full},
                            Case{"write:error=EDQUOT:when=2", Errc::full},
                            Case{"write:error=EIO:when=3", Errc::unavailable},
                            Case{"fsync:error=EIO:when=1", Errc::unavailable},
                            Case{"renameat2:error=EACCES:when=1", Errc::denied}}) {
        // A sanitizer's own writes to a pipe would be the ones that fail.
        if (test::kSanitized && std::string_view(one.inject).starts_with("write:")) continue;
        reset();
        const Traced traced = test::run_traced("PublishOne", dir, {one.inject});
        EXPECT_EQ(traced.code, 100 + static_cast<int>(one.code)) << one.inject;
        EXPECT_TRUE(published().empty()) << one.inject;
        EXPECT_EQ(temporaries(), 0u) << one.inject;
    }
}

TEST_F(FilesCrash, AFailedSyncOfTheFolderIsAnErrorThatARetryMends) {
    const Traced failed = test::run_traced("PublishOne", dir, {"fsync:error=EIO:when=2"});
    EXPECT_EQ(failed.code, 100 + static_cast<int>(Errc::unavailable));
    EXPECT_EQ(test::run_traced("PublishOne", dir).code, 0);
    EXPECT_EQ(published(), std::vector<std::string>{"a"});
}

TEST_F(FilesCrash, OneBadFileOfABatchSpoilsNoOther) {
    fs::remove(dir / "in/b");
    const Traced traced = test::run_traced("PublishThree", dir);
    EXPECT_EQ(traced.code, 100 + static_cast<int>(Errc::not_found));
    EXPECT_EQ(published(), (std::vector<std::string>{"a", "c"}));
    EXPECT_EQ(temporaries(), 0u);
}

TEST_F(FilesCrash, AMoveKilledAnywhereLosesNothing) {
    const Traced whole = test::run_traced("Move", dir);
    ASSERT_EQ(whole.code, 0);
    const std::string folder = "<" + (dir / "out").string() + ">";
    EXPECT_LT(place(whole.calls, "rename", "/out/a"), place(whole.calls, "fsync", folder));
    for (const char* call : {"renameat2", "fsync"}) {
        reset();
        const Traced killed =
            test::run_traced("Move", dir, {std::string(call) + ":signal=KILL:when=1"});
        EXPECT_EQ(killed.signal, SIGKILL);
        EXPECT_EQ(fs::exists(dir / "in/a") ? 1u : 0u, 1 - published().size()) << call;
    }
}

TEST_F(FilesCrash, AFolderMadeOnTheWayIsOnDiskToo) {
    const Traced traced = test::run_traced("MoveDeep", dir);
    ASSERT_EQ(traced.code, 0);
    for (const char* grown : {"out", "out/new", "out/new/deep"}) {
        EXPECT_GE(place(traced.calls, "fsync", "<" + (dir / grown).string() + ">"), 0) << grown;
    }
}

// A bind mount, or two volumes of a container: one file system, and yet no rename between them.
TEST_F(FilesCrash, AMoveAcrossMountsKilledAnywhereLosesNothing) {
    const std::string across = "renameat2:error=EXDEV:when=1";
    const Traced whole = test::run_traced("Move", dir, {across});
    EXPECT_EQ(whole.code, 0);
    EXPECT_EQ(published(), std::vector<std::string>{"a"});
    EXPECT_FALSE(fs::exists(dir / "in/a"));
    const std::vector<TracedCall> calls = steps(whole);
    ASSERT_GE(calls.size(), 6u);
    const std::string folder = "<" + (dir / "out").string() + ">";
    EXPECT_LT(place(calls, "fsync", ".musher-tmp-"), place(calls, "rename", ".musher-tmp-"));
    EXPECT_LT(place(calls, "fsync", folder), place(calls, "unlink", "/in/a"))
        << "the original goes when the copy is on disk";
    for (const TracedCall& call : calls) {
        if (call.name == "openat" || call.name == "renameat2") continue;
        reset();
        const Traced killed = test::run_traced(
            "Move", dir, {across, call.name + ":signal=KILL:when=" + std::to_string(call.nth)});
        EXPECT_EQ(killed.signal, SIGKILL) << at(call);
        EXPECT_GE((fs::exists(dir / "in/a") ? 1u : 0u) + published().size(), 1u) << at(call);
    }
}

// File systems that cannot copy in the kernel, or give up in the middle of it.
TEST_F(FilesCrash, ACopyIsWholeWhereTheKernelWillNotCopy) {
    for (const char* refusal :
         {"error=EOPNOTSUPP:when=1", "error=EINVAL:when=2", "retval=0:when=1"}) {
        reset();
        const Traced traced = test::run_traced(
            "Move", dir,
            {"renameat2:error=EXDEV:when=1", "copy_file_range:" + std::string(refusal)});
        EXPECT_EQ(traced.code, 0) << refusal;
        EXPECT_EQ(published(), std::vector<std::string>{"a"}) << refusal;
    }
}

TEST_F(FilesCrash, WithoutRenameNoReplaceALinkKeepsAStrangersFile) {
    std::ofstream(dir / "out/a") << kContent;
    const Traced traced = test::run_traced("Move", dir, {"renameat2:error=EINVAL"});
    EXPECT_EQ(traced.code, 0);
    EXPECT_EQ(published(), (std::vector<std::string>{"a", "a-2"}));
    EXPECT_FALSE(fs::exists(dir / "in/a"));
}

}  // namespace
}  // namespace musher
