// Farewells: each original goes where its own end says, whatever becomes of the others.
#include "sources/farewell.h"

#include <gtest/gtest.h>

#include <thread>

#include "sources/claims.h"
#include "sources/refusal.h"
#include "sources/tree_sample.h"
#include "sources/work_path.h"
#include "tests/sources/look_folder.h"

namespace musher::hotfolder {
namespace {

using End = musher::Outcome;

struct Farewells : testing::Test {
    Farewells() {
        rules.folder = dir.path();
        rules.done = {Farewell::Way::move, dir / "done"};
        rules.failed = dir / "failed";
        fs::create_directories(dir / std::string(kWorkRoot));
    }
    Settlement end_of(const std::string& file, const std::string& id, End outcome) {
        Settlement one;
        one.event.id = id;
        one.event.file = file;
        one.event.source = "test";
        one.outcome = outcome;
        if (outcome != End::done) refuse(one, Error(Errc::corrupt, "broken"), "failed", 1);
        return one;
    }
    /// A claimed original, as its job's end names it.
    Settlement claimed(const std::string& name, End outcome, const std::string& subfolder = "") {
        const std::string id = new_uuid7(1'700'000'000'000);
        const std::string work = dir / (std::string(kWorkRoot) + "/" + mirror_of(subfolder));
        fs::create_directories(work);
        const std::string file = (fs::path(work) / (id + "." + name)).string();
        write_file(file, name);
        return end_of(file, id, outcome);
    }
    /// One that stays in its place while it is worked on.
    Settlement standing(const std::string& name, End outcome) {
        const std::string file = dir / name;
        struct stat status{};
        EXPECT_EQ(::lstat(file.c_str(), &status), 0);
        FileSample sample = sample_of(status);
        if (S_ISDIR(status.st_mode)) {
            sample = look_at_tree(*Fd::open(file, O_RDONLY | O_DIRECTORY), false).sample;
        }
        return end_of(file, standing_id(file, sample, true), outcome);
    }
    Result<void> put(const Settlement& one) { return put_away(rules, {one}).front(); }

    test::TempDir dir;
    HotfolderRules rules;
};

TEST_F(Farewells, WhatWasFoundElsewhereEndsThere) {
    const std::vector<Settlement> ended{claimed("done", End::done), claimed("bad", End::dead)};
    HotfolderRules edited = rules;
    edited.folder = dir / "elsewhere";
    edited.done.folder = dir / "elsewhere/over";
    edited.failed = dir / "elsewhere/wrong";
    for (const Result<void>& one : put_away(edited, ended)) EXPECT_TRUE(one.has_value());
    EXPECT_EQ(read_file(dir / "over/done"), "done");
    EXPECT_EQ(read_file(dir / "wrong/bad"), "bad");
    EXPECT_EQ(where_is(edited, ended[1].event, End::dead), dir / "wrong/bad");
    EXPECT_TRUE(bring_back(edited, ended[1].event.id, ended[1].event.file).has_value());
    EXPECT_EQ(read_file(ended[1].event.file), "bad");
    EXPECT_FALSE(fs::exists(dir / "elsewhere"));
    EXPECT_FALSE(at_home(edited, ended[1].event.file));
    EXPECT_TRUE(at_home(rules, ended[1].event.file));
}

TEST_F(Farewells, OneThatCannotGoKeepsNobodyElse) {
    fs::create_directories(dir / "failed");
    fs::create_directories(dir / "done");
    fs::create_directory_symlink("nowhere", dir / "done/sub");
    const std::vector<Settlement> ended{claimed("bad", End::done, "sub"), claimed("a", End::done),
                                        claimed("b", End::dead)};
    const auto answers = put_away(rules, ended);
    EXPECT_FALSE(answers[0]);
    EXPECT_TRUE(answers[1]);
    EXPECT_TRUE(answers[2]);
    EXPECT_TRUE(fs::exists(ended[0].event.file));
    EXPECT_EQ(read_file(dir / "done/a"), "a");
    EXPECT_EQ(read_file(dir / "failed/b"), "b");
    fs::remove(dir / "done/sub");
    EXPECT_TRUE(put(ended[0]));
    EXPECT_EQ(read_file(dir / "done/sub/bad"), "bad");
}

TEST_F(Farewells, NoFolderIsReplacedAndNoFileIsMadeOne) {
    rules.collision = Collision::replace;
    fs::create_directories(dir / "done/full/old");
    fs::create_directories(dir / "done/empty");
    write_file(dir / "done/file", "old");
    write_file(dir / "done/sub", "in the way");
    EXPECT_TRUE(put(claimed("full", End::done)));
    EXPECT_TRUE(put(claimed("empty", End::done)));
    EXPECT_TRUE(put(claimed("file", End::done)));
    EXPECT_TRUE(put(claimed("a", End::done, "sub")));
    EXPECT_EQ(read_file(dir / "done/full-2"), "full");
    EXPECT_EQ(read_file(dir / "done/empty-2"), "empty");
    EXPECT_EQ(read_file(dir / "done/file"), "file");
    EXPECT_EQ(read_file(dir / "done/sub-2/a"), "a");
    EXPECT_EQ(read_file(dir / "done/sub"), "in the way");
}

TEST_F(Farewells, AfterTheLastNumberTheJobNamesTheFile) {
    fs::create_directories(dir / "failed");
    write_file(dir / "failed/scan.pdf");
    for (int number = 2; number < 1000; ++number) {
        write_file(dir / "failed/scan-" + std::to_string(number) + ".pdf");
    }
    const Settlement one = claimed("scan.pdf", End::dead);
    ASSERT_TRUE(put(one));
    const std::string name = "failed/scan-" + one.event.id + ".pdf";
    EXPECT_EQ(read_file(dir / name), "scan.pdf");
    EXPECT_TRUE(fs::exists(dir / (name + ".report.json")));
    ASSERT_TRUE(bring_back(rules, one.event.id, one.event.file));
    EXPECT_TRUE(fs::exists(one.event.file));
    EXPECT_FALSE(fs::exists(dir / name));
}

TEST_F(Farewells, LongNamesThatBeginAlikeHaveReportsOfTheirOwn) {
    std::vector<Settlement> ended;
    for (const std::string& name :
         {std::string(200, 'b') + "-page1.pdf", std::string(200, 'b') + "-page2.pdf",
          std::string(255, 'n'), std::string(255, 'n')}) {
        const std::string id = new_uuid7(1'700'000'000'000);
        const std::string folder = dir / (std::string(kWorkRoot) + "/" + id);
        fs::create_directories(folder);
        write_file(folder + "/" + name, id);
        ended.push_back(end_of(folder + "/" + name, id, End::dead));
    }
    for (const Result<void>& one : put_away(rules, ended)) EXPECT_TRUE(one.has_value());
    EXPECT_EQ(std::distance(fs::directory_iterator(dir / "failed"), {}), 8) << "each with a report";
    EXPECT_TRUE(fs::is_empty(dir / std::string(kWorkRoot)));
    for (const Settlement& one : ended) {
        EXPECT_EQ(read_file(where_is(rules, one.event, End::dead)), one.event.id);
        EXPECT_TRUE(bring_back(rules, one.event.id, one.event.file));
        EXPECT_EQ(read_file(one.event.file), one.event.id);
    }
    EXPECT_TRUE(fs::is_empty(dir / "failed"));
}

TEST_F(Farewells, AStrangersReportIsKept) {
    fs::create_directories(dir / "failed");
    write_file(dir / "failed/a.report.json", "{}");
    ASSERT_TRUE(put(claimed("a", End::dead)));
    EXPECT_EQ(read_file(dir / "failed/a.report.json"), "{}");
    EXPECT_TRUE(fs::exists(dir / "failed/a-2"));
    EXPECT_TRUE(fs::exists(dir / "failed/a-2.report.json"));
}

TEST_F(Farewells, APipeInThePlaceOfAReportIsNotWaitedFor) {
    fs::create_directories(dir / "failed");
    ASSERT_EQ(::mkfifo((dir / "failed/a.report.json").c_str(), 0600), 0);
    const Settlement one = claimed("a", End::dead);
    ASSERT_TRUE(put(one));
    EXPECT_EQ(where_is(rules, one.event, End::dead), dir / "failed/a-2");
    ASSERT_TRUE(bring_back(rules, one.event.id, one.event.file));
}

TEST_F(Farewells, AReportLeftBehindByAKillGoesWithTheNextReplay) {
    const Settlement one = claimed("a", End::dead);
    ASSERT_TRUE(put(one));
    fs::rename(dir / "failed/a", one.event.file);
    ASSERT_TRUE(bring_back(rules, one.event.id, one.event.file));
    EXPECT_FALSE(fs::exists(dir / "failed/a.report.json"));
    ASSERT_TRUE(bring_back(rules, one.event.id, one.event.file)) << "it is there";
}

TEST_F(Farewells, AFileThatWasReplacedWhileItsJobRanIsLeft) {
    for (const auto way : {Farewell::Way::remove, Farewell::Way::move}) {
        rules.done.way = way;
        for (const End outcome : {End::done, End::dead}) {
            write_file(dir / "a", "version 1");
            const Settlement one = standing("a", outcome);
            write_file(dir / "new", "version 2");
            fs::rename(dir / "new", dir / "a");
            EXPECT_TRUE(put(one));
            EXPECT_EQ(read_file(dir / "a"), "version 2");
            EXPECT_FALSE(fs::exists(dir / "failed/a"));
            const Settlement next = standing("a", End::done);
            EXPECT_TRUE(put(next));
            EXPECT_FALSE(fs::exists(dir / "a"));
        }
    }
}

TEST_F(Farewells, AFileThatGrewWhileItsJobRanIsLeft) {
    write_file(dir / "a", "version 1");
    const Settlement one = standing("a", End::done);
    std::ofstream(dir / "a", std::ios::app) << " and more";
    EXPECT_TRUE(put(one));
    EXPECT_EQ(read_file(dir / "a"), "version 1 and more");
}

TEST_F(Farewells, AFolderIsHeldAgainstAllThatItHeld) {
    fs::create_directories(dir / "job/deep");
    write_file(dir / "job/deep/1");
    const Settlement one = standing("job", End::done);
    write_file(dir / "job/deep/2");
    EXPECT_TRUE(put(one));
    EXPECT_TRUE(fs::exists(dir / "job/deep/2"));
    EXPECT_TRUE(put(standing("job", End::done)));
    EXPECT_TRUE(fs::exists(dir / "done/job/deep/2"));
}

TEST_F(Farewells, ATakenDoneNameIsToldUnderCollisionFail) {
    rules.collision = Collision::fail;
    fs::create_directories(dir / "done");
    write_file(dir / "done/a", "first");
    const Settlement one = claimed("a", End::done);
    const Result<void> refused = put(one);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::conflict);
    EXPECT_TRUE(fs::exists(one.event.file));
    EXPECT_EQ(read_file(dir / "done/a"), "first");
}

TEST(Mirrors, OneGoesWithItsLastClaim) {
    const Folder folder;
    const std::string work = folder / std::string(kWorkRoot);
    fs::create_directories(folder / "a/b");
    fs::create_directories(folder / "=a");
    const std::string names[] = {"1", "2", std::string(255, 'n')};
    for (const std::string& name : names) {
        write_file(folder / "a/b/" + name);
        write_file(folder / "=a/" + name);
    }
    Looker looker(folder.open(), folder.rules);
    const auto claim = [&](const std::string& name, const std::string& subfolder) {
        const LookResult result = looker.look(Folder::request(name, subfolder));
        EXPECT_EQ(result.outcome.finding, Finding::claimed) << name;
        return result.path;
    };
    const auto leave = [](const std::string& path) {
        fs::remove(path);
        leave_claim(path);
    };
    const std::string first = claim("1", "a/b");
    const std::string long_one = claim(names[2], "a/b");
    leave(long_one);
    EXPECT_TRUE(fs::exists(first));
    leave(first);
    EXPECT_TRUE(fs::is_empty(work));
    leave(claim("2", "a/b"));  // the mirror that this Looker knows is no more
    EXPECT_TRUE(fs::is_empty(work));
    EXPECT_TRUE(looker.sync().has_value());
    EXPECT_EQ(looker.look(Folder::request("gone", "a/b")).outcome.finding, Finding::gone);
    EXPECT_TRUE(fs::is_empty(work));
    for (const std::string& name : names) leave(folder / "=a/" + name);
    EXPECT_TRUE(fs::exists(folder / "=a")) << "it is the user's";
}

TEST(Mirrors, OneMayGoWhileAnotherClaimIsMade) {
    const Folder folder;
    const auto premises = folder.open();
    fs::create_directories(folder / "a/b");
    const auto claims = [&](const std::string& mark) {
        for (int i = 0; i < 500; ++i) {
            const std::string name = mark + std::to_string(i);
            write_file(folder / "a/b/" + name);
            Looker looker(premises, folder.rules);
            const LookResult result = looker.look(Folder::request(name, "a/b"));
            ASSERT_EQ(result.outcome.finding, Finding::claimed) << result.outcome.error;
            fs::remove(result.path);
            leave_claim(result.path);
        }
    };
    std::thread other([&] { claims("x"); });
    claims("y");
    other.join();
    EXPECT_TRUE(fs::is_empty(folder / std::string(kWorkRoot)));
}

TEST(Mirrors, EmptyOnesAreClearedAtAStart) {
    const Folder folder;
    fs::create_directories(folder / "a");
    write_file(folder / "a/1");
    const LookResult claimed = folder.claim("1", "a");
    const std::string work = folder / std::string(kWorkRoot);
    fs::create_directories(work + "/=a/=b/=c");
    fs::create_directories(work + "/=d/=e");
    const auto premises = folder.open();
    EXPECT_EQ(list_claims(*premises)->size(), 1u);
    EXPECT_TRUE(fs::exists(claimed.path));
    EXPECT_FALSE(fs::exists(work + "/=a/=b"));
    EXPECT_FALSE(fs::exists(work + "/=d"));
}

TEST(Mirrors, AreFoundHoweverDeep) {
    const Folder folder;
    std::string deep = "0";
    for (int level = 1; level < 200; ++level) deep += "/" + std::to_string(level);
    fs::create_directories(folder / deep);
    write_file(folder / deep + "/1");
    const LookResult claimed = folder.claim("1", deep);
    ASSERT_EQ(claimed.outcome.finding, Finding::claimed) << claimed.outcome.error;
    const auto premises = folder.open();
    EXPECT_EQ(list_claims(*premises)->size(), 1u);
}

TEST(Refusal, HasTheShapeOfTheContract) {
    Settlement one;
    one.event.id = new_uuid7(1'700'000'000'000);
    one.event.source = "test";
    one.event.file = "/srv/in/a";
    refuse(one, Error(Errc::usage, "no"), "unmatched", 1'700'000'000'000);
    for (const char* key : {"code", "message", "hint", "context", "step", "attempt", "time"}) {
        EXPECT_TRUE(one.report["error"].contains(key)) << key;
    }
    for (const char* key :
         {"v", "id", "pipeline", "queue", "revision", "priority", "key", "dedupe", "state",
          "attempt", "created", "due", "event", "body", "receipts", "error"}) {
        EXPECT_TRUE(one.report["job"].contains(key)) << key;
    }
    ASSERT_EQ(one.report["story"].size(), 1u);
    for (const char* key : {"time", "what", "step", "attempt", "took_ms", "detail"}) {
        EXPECT_TRUE(one.report["story"][0].contains(key)) << key;
    }
}

}  // namespace
}  // namespace musher::hotfolder
