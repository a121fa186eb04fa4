// The settle table without files or a loop: time is advanced by hand.
#include "sources/settle_table.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace musher::hotfolder {
namespace {

using std::chrono::seconds;

struct Table {
    explicit Table(Duration settle = seconds(1), Order order = Order::none,
                   std::size_t capacity = 100, MarkerPattern marker = {})
        : table(SettleRules{settle, order, capacity, std::move(marker)}) {}

    /// What is due now, answered with `finding`; the names, in order.
    std::string look(Finding finding, const FileSample& sample = {}) {
        std::string names;
        for (const Look& each : table.take(clock.now(), 256, may_claim)) {
            names += (names.empty() ? "" : " ") + each.name;
            last = each;
            Outcome outcome{each.sample_only ? Finding::sampled : finding, sample, 0};
            if (!each.sample_only && each.expected && *each.expected != sample) {
                outcome.finding = Finding::changed;
            }
            table.report(each, outcome, clock.now());
        }
        return names;
    }
    std::string claim(const FileSample& sample = {}) { return look(Finding::claimed, sample); }
    void sight(std::string_view name, Sign sign) {
        EXPECT_TRUE(table.sight(1, name, sign, clock.now()));
    }
    void found(std::string_view name, const FileSample& sample) {
        EXPECT_TRUE(table.sight(1, name, sample, clock.now()));
    }
    void pass(Duration by) { clock.advance(by); }
    Finding reason(std::string_view name) { return table.find(1, name)->reason; }

    ManualClock clock;
    SettleTable table;
    Look last;
    bool may_claim = true;
};

FileSample size(std::uint64_t bytes) {
    FileSample sample;
    sample.size = bytes;
    return sample;
}
FileSample modified(std::int64_t mtime) {
    FileSample sample;
    sample.mtime_ns = mtime;
    return sample;
}

TEST(SettleTable, CountsWhatIsRefusedUntilItIsNot) {
    Table t;
    t.sight("a", Sign::moved_in);
    t.sight("b", Sign::moved_in);
    EXPECT_EQ(t.look(Finding::denied), "a b");
    EXPECT_EQ(t.table.refused(), 2u);
    t.sight("a", Sign::moved_in);  // another one of its name
    EXPECT_EQ(t.table.refused(), 1u);
    EXPECT_EQ(t.table.a_refused().first.name, "b");
    t.pass(seconds(5));
    EXPECT_EQ(t.look(Finding::marker_missing), "b a");
    EXPECT_EQ(t.table.refused(), 0u);
    t.pass(seconds(5));
    EXPECT_EQ(t.look(Finding::broken), "b a");
    EXPECT_EQ(t.table.refused(), 2u);
    t.pass(seconds(60));
    EXPECT_EQ(t.look(Finding::gone), "b a");
    EXPECT_EQ(t.table.refused(), 0u);
}

TEST(SettleTable, AMovedInFileIsReadyAtOnce) {
    Table t;
    t.sight("a", Sign::moved_in);
    EXPECT_EQ(t.claim(), "a");
    EXPECT_TRUE(t.last.trust_quiet) << "a rename is its writer's promise";
    EXPECT_EQ(t.table.size(), 0u);
}

TEST(SettleTable, AClosedFileIsReadyAfterTheSettleTime) {
    Table t;
    t.sight("a", Sign::closed);
    EXPECT_EQ(t.claim(), "a") << "the first sample";
    EXPECT_TRUE(t.last.sample_only);
    t.pass(milliseconds(999));
    EXPECT_EQ(t.claim(), "");
    t.pass(milliseconds(1));
    EXPECT_EQ(t.claim(), "a");
    EXPECT_TRUE(t.last.claim);
    EXPECT_TRUE(t.last.expected.has_value());
    EXPECT_EQ(t.table.size(), 0u);
}

TEST(SettleTable, WithoutASettleTimeAClosedFileIsReadyAtOnce) {
    Table t(Duration(0));
    t.sight("a", Sign::closed);
    EXPECT_EQ(t.claim(), "a");
    EXPECT_TRUE(t.last.claim);
    EXPECT_FALSE(t.last.expected.has_value());
}

TEST(SettleTable, EveryCloseStartsTheQuietAnew) {
    Table t;
    t.sight("a", Sign::closed);
    t.claim();
    t.pass(milliseconds(900));
    t.sight("a", Sign::closed);
    t.claim();
    t.pass(milliseconds(900));
    EXPECT_EQ(t.claim(), "");
    t.pass(milliseconds(100));
    EXPECT_EQ(t.claim(), "a");
}

TEST(SettleTable, AChangedSampleStartsTheQuietAnewAndBreaksThePromise) {
    Table t;
    t.found("a", size(1));
    t.pass(seconds(1));
    EXPECT_EQ(t.claim(size(2)), "a");
    EXPECT_EQ(t.reason("a"), Finding::changed);
    EXPECT_EQ(t.claim(size(2)), "");
    t.pass(seconds(1));
    EXPECT_EQ(t.claim(size(2)), "a");
    EXPECT_EQ(t.table.size(), 0u);
}

TEST(SettleTable, ARescanOfAnUnchangedFileDoesNotDelayIt) {
    Table t;
    t.found("a", size(1));
    t.pass(milliseconds(600));
    t.found("a", size(1));
    t.pass(milliseconds(400));
    EXPECT_EQ(t.claim(size(1)), "a");
}

TEST(SettleTable, AnOpenWriterIsWaitedForHoweverLongItStops) {
    Table t;
    t.found("a", size(1));
    t.pass(seconds(1));
    EXPECT_EQ(t.look(Finding::writing, size(1)), "a");
    EXPECT_EQ(t.reason("a"), Finding::writing);
    EXPECT_EQ(t.table.stuck(), 1u);
    int probes = 0;
    for (int i = 0; i < 300; ++i) {
        t.pass(milliseconds(100));
        probes += t.look(Finding::writing, size(1)) == "a";
    }
    EXPECT_GT(probes, 6);
    EXPECT_LT(probes, 20) << "30 s with a growing pause";
    // The writer is gone, but no event said when: quiet counts from the first clean look.
    t.pass(seconds(5));
    EXPECT_EQ(t.look(Finding::steady, size(1)), "a");
    EXPECT_FALSE(t.last.claim);
    t.pass(milliseconds(999));
    EXPECT_EQ(t.claim(size(1)), "");
    t.pass(milliseconds(1));
    EXPECT_EQ(t.claim(size(1)), "a");
    EXPECT_EQ(t.table.size(), 0u);
}

TEST(SettleTable, TheCloseEventEndsTheWaitForAWriter) {
    Table t;
    t.found("a", size(1));
    t.pass(seconds(1));
    t.look(Finding::writing, size(1));
    t.sight("a", Sign::closed);
    EXPECT_EQ(t.table.stuck(), 0u);
    t.claim(size(9));
    t.pass(seconds(1));
    EXPECT_EQ(t.claim(size(9)), "a");
    EXPECT_TRUE(t.last.claim);
}

TEST(SettleTable, WithoutALeaseTenQuietSecondsCount) {
    Table t;
    t.sight("a", Sign::closed);
    t.claim();
    t.pass(seconds(1));
    EXPECT_EQ(t.look(Finding::unprovable), "a");
    EXPECT_FALSE(t.last.trust_quiet);
    EXPECT_TRUE(t.table.find(1, "a")->unprovable);
    t.pass(milliseconds(8999));
    EXPECT_EQ(t.look(Finding::claimed), "");
    t.pass(milliseconds(1));
    EXPECT_EQ(t.look(Finding::claimed), "a");
    EXPECT_TRUE(t.last.trust_quiet);
    EXPECT_EQ(t.table.size(), 0u);
}

TEST(SettleTable, ACreatedNameWaitsForItsWriterButNotForEver) {
    Table t(Duration(0));
    t.sight("linked", Sign::created);
    EXPECT_EQ(t.claim(), "");
    EXPECT_EQ(t.reason("linked"), Finding::writing);
    t.pass(milliseconds(250));
    EXPECT_EQ(t.claim(), "linked") << "the first sample";
    EXPECT_EQ(t.claim(), "linked") << "link(2) sends no close";
    EXPECT_EQ(t.table.size(), 0u);
}

TEST(SettleTable, SeenDuringTheLookIsLookedAtAgain) {
    Table t;
    t.sight("a", Sign::moved_in);
    const std::vector<Look> looks = t.table.take(t.clock.now(), 1, true);
    ASSERT_EQ(looks.size(), 1u);
    t.sight("a", Sign::moved_in);  // a new file of the same name
    EXPECT_TRUE(t.table.take(t.clock.now(), 1, true).empty()) << "never two looks at one name";
    t.table.report(looks[0], Outcome{Finding::claimed, {}, 0}, t.clock.now());
    EXPECT_EQ(t.claim(), "a");
    EXPECT_EQ(t.table.size(), 0u);
}

TEST(SettleTable, WithoutRoomInTheQueueOnlySamplesAreTaken) {
    Table t;
    t.may_claim = false;
    t.sight("a", Sign::closed);
    t.sight("b", Sign::moved_in);
    EXPECT_EQ(t.claim(), "a");
    t.pass(seconds(60));
    EXPECT_EQ(t.claim(), "");
    EXPECT_FALSE(t.table.next_due(false).has_value());
    EXPECT_TRUE(t.table.next_due(true).has_value());
    t.may_claim = true;
    EXPECT_EQ(t.claim(), "b a");
}

TEST(SettleTable, AFullTableRefusesButForgetsTheStuckFirst) {
    Table t(seconds(1), Order::none, 2);
    t.found("stuck", {});
    t.pass(seconds(1));
    t.look(Finding::denied);
    t.found("a", {});
    EXPECT_FALSE(t.table.full());
    t.found("b", {});
    EXPECT_TRUE(t.table.full());
    EXPECT_EQ(t.table.find(1, "stuck"), nullptr);
    EXPECT_FALSE(t.table.sight(1, "c", FileSample{}, t.clock.now()));
    t.found("a", {});  // those it has stay
    t.pass(seconds(1));
    EXPECT_EQ(t.claim(), "a b");
}

TEST(SettleTable, OrdersByAgeOrName) {
    Table oldest(seconds(1), Order::oldest);
    oldest.found("new", modified(30));
    oldest.found("old", modified(10));
    oldest.found("mid", modified(20));
    oldest.pass(seconds(1));
    std::string order;
    for (const Look& look : oldest.table.take(oldest.clock.now(), 9, true)) order += look.name;
    EXPECT_EQ(order, "oldmidnew");

    Table name(seconds(1), Order::name);
    for (const char* each : {"c", "a", "b"}) name.found(each, {});
    name.pass(seconds(1));
    EXPECT_EQ(name.claim(), "a b c");
}

TEST(SettleTable, AnOrderedTableWaitsForTheScanAndForWhatSettlesAhead) {
    Table t(seconds(1), Order::name);
    t.table.set_filling(true);
    t.found("b", {});
    t.pass(seconds(1));
    EXPECT_EQ(t.claim(), "") << "the scan may still find an `a`";
    t.found("a", {});
    t.table.set_filling(false);
    t.pass(milliseconds(500));
    EXPECT_EQ(t.claim(), "") << "`a` is about to be ready";
    t.pass(milliseconds(500));
    EXPECT_EQ(t.claim(), "a b");
}

TEST(SettleTable, AnOrderedTableDoesNotStarveTheReady) {
    Table t(seconds(1), Order::name);
    t.found("z", {});
    std::string claimed;
    for (char name = 'y'; claimed.empty() && name > 'a'; --name) {
        t.pass(milliseconds(200));
        t.found(std::string(1, name), {});
        claimed = t.claim();
    }
    EXPECT_EQ(claimed, "z") << "held back for one settle time, no longer";
}

TEST(SettleTable, AWriterThatIsStillAtWorkHoldsNobodyBack) {
    Table t(seconds(1), Order::name);
    t.found("a", {});
    t.pass(seconds(1));
    t.look(Finding::writing);
    t.found("b", {});
    t.pass(seconds(1));
    EXPECT_NE(t.look(Finding::writing).find("b"), std::string::npos);
}

TEST(SettleTable, AMarkerReleasesItsFile) {
    const MarkerPattern done = *MarkerPattern::parse("{stem}.done");
    Table t(seconds(1), Order::none, 100, done);
    t.found("a.pdf", {});
    t.found("b.pdf", {});
    t.pass(seconds(1));
    EXPECT_EQ(t.look(Finding::marker_missing), "a.pdf b.pdf");
    t.table.marker_came(1, "a.done", t.clock.now());
    t.table.marker_came(2, "b.done", t.clock.now());
    EXPECT_EQ(t.claim(), "a.pdf") << "and only its own, in its own folder";
    EXPECT_EQ(t.table.stuck(), 1u);
}

TEST(SettleTable, TheStuckGetTheirTurnInABacklog) {
    Table t(Duration(0), Order::none, 10'000);
    t.found("stuck", {});
    t.look(Finding::too_small);
    for (int i = 0; i < 1000; ++i) t.found(std::to_string(i), {});
    t.pass(seconds(2));
    const std::vector<Look> looks = t.table.take(t.clock.now(), 256, true);
    EXPECT_EQ(looks.size(), 256u);
    EXPECT_EQ(looks[0].name, "stuck");
}

TEST(SettleTable, AFoldersQuietBeginsWithItsFirstSample) {
    SettleRules rules;
    rules.settle = seconds(2);
    rules.capacity = 100;
    rules.whole_folders = true;
    SettleTable table(rules);
    ManualClock clock;
    EXPECT_TRUE(table.sight(1, "job", Sign::created, clock.now()));
    std::uint64_t bytes = 0;
    const auto look = [&](bool grows) {
        const std::vector<Look> looks = table.take(clock.now(), 10, true);
        if (looks.empty()) return Finding::gone;
        Outcome outcome{Finding::claimed, size(bytes += grows ? 1 : 0), 0};
        if (looks.front().sample_only) outcome.finding = Finding::sampled;
        const auto& expected = looks.front().expected;
        if (expected && *expected != outcome.sample) outcome.finding = Finding::changed;
        table.report(looks.front(), outcome, clock.now());
        return outcome.finding;
    };
    // Files are added below all the time, and no event tells of it.
    clock.advance(seconds(2));
    EXPECT_EQ(look(true), Finding::sampled);
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(look(true), Finding::gone) << "two quiet seconds have not passed";
        clock.advance(seconds(2));
        EXPECT_EQ(look(true), Finding::changed);
    }
    clock.advance(seconds(2));
    EXPECT_EQ(look(false), Finding::claimed);
}

}  // namespace
}  // namespace musher::hotfolder
