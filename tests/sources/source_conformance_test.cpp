// What every source must do, over each that is registered in tests/support/source_rigs.cpp.
#include <gtest/gtest.h>

#include <algorithm>

#include "sources/catalogue.h"
#include "tests/support/run_loop.h"
#include "tests/support/source_life.h"

namespace musher {
namespace {

using test::SourceLife;
using test::TestLedger;
using Words = std::vector<std::string>;

struct World {
    explicit World(const test::NamedSourceRig& one) : named(one) {}
    const test::NamedSourceRig& named;
    std::unique_ptr<test::SourceRig> rig = named.make();
    TestLedger ledger;
    test::FastClock fast;
    Clock& clock() { return rig->clock() ? *rig->clock() : fast; }
    /// What comes of that which happened while nobody took it.
    Words left_of(const Words& words) const {
        return named.world == test::World::none ? Words{words.back()} : words;
    }
    void happen(const Words& words) const {
        for (const std::string& word : words) rig->happen(word);
    }
};
Words sorted(Words words) {
    std::sort(words.begin(), words.end());
    return words;
}

class SourceConformance : public testing::TestWithParam<test::NamedSourceRig> {
  protected:
    void over(Task<void> (*body)(Loop&, World&)) {
        World world(GetParam());
        test::on_loop_with(world.clock(), *body, world);
    }
};
class SourceWithAWorld : public SourceConformance {};
class SourceThatShows : public SourceConformance {};

Task<void> each(Loop& loop, World& world) {
    SourceLife life(loop, world.named, *world.rig, world.ledger);
    std::set<std::string> ids;
    for (const char* word : {"a", "b", "c"}) {
        world.rig->happen(word);
        const Words came = co_await life.take(1);
        EXPECT_EQ(came, Words{word});
        const Event& event = life.events[word];
        EXPECT_TRUE(ids.insert(event.id).second) << word << " has the id of another";
        EXPECT_EQ(event.id.size(), 36u);
        EXPECT_EQ(event.kind, world.named.entry->spec.name);
    }
    co_await life.stop();
}
TEST_P(SourceConformance, BringsEachThatHappens) { over(each); }

Task<void> stopped_unanswered(Loop& loop, World& world) {
    {
        SourceLife life(loop, world.named, *world.rig, world.ledger);
        world.rig->happen("a");
        const auto sent = [&life] { return life.out().size() > 0; };
        co_await test::eventually(loop, sent);
        co_await life.stop();
    }
    {
        SourceLife next(loop, world.named, *world.rig, world.ledger);
        const Words again = co_await next.take(1);
        EXPECT_EQ(again, Words{"a"});
        co_await next.pass(std::chrono::seconds(2));
        co_await next.stop();
    }
    SourceLife last(loop, world.named, *world.rig, world.ledger);
    world.rig->happen("b");
    const Words fresh = co_await last.take(1);
    EXPECT_EQ(fresh, Words{"b"}) << "what was accepted does not come again";
    co_await last.stop();
}
TEST_P(SourceConformance, BringsAtTheNextStartWhatNobodyAnswered) { over(stopped_unanswered); }

Task<void> over_and_done(Loop& loop, World& world) {
    SourceLife life(loop, world.named, *world.rig, world.ledger);
    Cancel never;
    for (const auto& [word, outcome] :
         {std::pair{"good", Outcome::done}, std::pair{"bad", Outcome::dead},
          std::pair{"stopped", Outcome::cancelled}}) {
        world.rig->happen(word);
        co_await life.take(1);
        for (int times = 0; times < 2; ++times) co_await life.settle(word, outcome);
    }
    const Event dead = life.events["bad"];
    for (int times = 0; times < 2; ++times) {
        const Result<void> back = co_await life.source().recall(dead, never);
        EXPECT_TRUE(back.has_value()) << back.error().text();
    }
    co_await life.settle("bad", Outcome::done);
    co_await life.pass(std::chrono::seconds(2));
    EXPECT_EQ(life.out().size(), 0u) << "what has ended does not come again";
    co_await life.stop();
}
TEST_P(SourceConformance, SettlesWhateverTheEnd) { over(over_and_done); }

Task<void> before_and_after(Loop& loop, World& world) {
    const Words before{"a", "b", "c"};
    const Words after{"d", "e"};
    world.happen(before);
    SourceLife life(loop, world.named, *world.rig, world.ledger);
    const Words first = co_await life.take(3);
    EXPECT_EQ(sorted(first), before);
    world.happen(after);
    const Words second = co_await life.take(2);
    EXPECT_EQ(sorted(second), after);
    std::set<std::string> ids;
    for (const auto& [word, event] : life.events) {
        EXPECT_TRUE(ids.insert(event.id).second) << word << " has the id of another";
        EXPECT_EQ(event.id.size(), 36u);
    }
    co_await life.stop();
}
TEST_P(SourceWithAWorld, BringsWhatHappensBeforeAndAfterItsStart) { over(before_and_after); }

Task<void> rejected(Loop& loop, World& world) {
    SourceLife life(loop, world.named, *world.rig, world.ledger);
    world.rig->happen("a");
    const Words first = co_await life.take(1, false);
    EXPECT_EQ(first, Words{"a"});
    const std::string id = life.events["a"].id;
    const Words again = co_await life.take(1);
    EXPECT_EQ(again, Words{"a"});
    EXPECT_EQ(life.events["a"].id, id) << "the same event, so that it cannot become two jobs";
    co_await life.stop();
}
TEST_P(SourceConformance, BringsAgainWhatTheQueueRefused) { over(rejected); }

Task<void> full(Loop& loop, World& world) {
    Words words;
    for (int i = 0; i < 20; ++i) words.push_back("w" + std::to_string(10 + i));
    SourceLife life(loop, world.named, *world.rig, world.ledger, 2);
    world.happen(words);
    const auto no_room = [&life] { return life.out().room() == 0; };
    co_await test::eventually(loop, no_room);
    const Words all = co_await life.take(words.size());
    EXPECT_EQ(sorted(all), words) << "each once";
    co_await life.stop();
}
TEST_P(SourceWithAWorld, WaitsForRoomAndLosesNothing) { over(full); }

Task<void> stopped_when_full(Loop& loop, World& world) {
    const Words words{"a", "b", "c", "d", "e"};
    world.happen(words);
    Words seen;
    {
        SourceLife life(loop, world.named, *world.rig, world.ledger, 1);
        seen = co_await life.take(1);
        const auto no_room = [&life] { return life.out().room() == 0; };
        co_await test::eventually(loop, no_room);
        co_await life.stop();
    }
    SourceLife next(loop, world.named, *world.rig, world.ledger);
    const Words rest = co_await next.take(4);
    seen.insert(seen.end(), rest.begin(), rest.end());
    EXPECT_EQ(sorted(seen), words);
    co_await next.pass(std::chrono::seconds(2));
    EXPECT_EQ(next.out().size(), 0u) << "what the queue has is not sent again";
    co_await next.stop();
}
TEST_P(SourceWithAWorld, StopsWhileItWaitsAndGoesOnAtTheNextStart) { over(stopped_when_full); }

Task<void> pauses(Loop& loop, World& world) {
    SourceLife life(loop, world.named, *world.rig, world.ledger);
    world.rig->happen("a");
    const Words first = co_await life.take(1);
    EXPECT_EQ(first, Words{"a"});
    world.ledger.known[life.events["a"].id] = Presence::live;
    life.source().pause(PauseReason::ordered);
    life.source().pause(PauseReason::ordered);
    const Words meanwhile{"b", "c"};
    const Words left = world.left_of(meanwhile);
    world.happen(meanwhile);
    co_await life.pass(std::chrono::seconds(5));
    EXPECT_EQ(life.out().size(), 0u) << "it was paused";
    life.source().resume();
    life.source().resume();
    const Words rest = co_await life.take(left.size());
    EXPECT_EQ(sorted(rest), left);
    life.source().pause(PauseReason::ordered);
    co_await life.stop();
}
TEST_P(SourceConformance, PausesAndGoesOn) { over(pauses); }

Task<void> settles(Loop& loop, World& world) {
    Event dead;
    {
        SourceLife life(loop, world.named, *world.rig, world.ledger);
        world.happen({"good", "bad"});
        co_await life.take(2);
        for (int times = 0; times < 2; ++times) {
            co_await life.settle("good", Outcome::done);
            co_await life.settle("bad", Outcome::dead);
            EXPECT_TRUE(world.rig->ended("good", Outcome::done));
            EXPECT_TRUE(world.rig->ended("bad", Outcome::dead));
        }
        world.ledger.known[life.events["good"].id] = Presence::done;
        world.ledger.known[life.events["bad"].id] = Presence::dead;
        dead = life.events["bad"];
        co_await life.stop();
    }
    SourceLife next(loop, world.named, *world.rig, world.ledger);
    world.rig->happen("new");
    const Words fresh = co_await next.take(1);
    EXPECT_EQ(fresh, Words{"new"}) << "what has ended does not come again";
    Cancel never;
    for (int times = 0; times < 2; ++times) {
        const Result<void> back = co_await next.source().recall(dead, never);
        EXPECT_TRUE(back.has_value()) << back.error().text();
    }
    EXPECT_FALSE(world.rig->ended("bad", Outcome::dead)) << "it runs again";
    next.events["bad"] = dead;
    co_await next.settle("bad", Outcome::done);
    EXPECT_TRUE(world.rig->ended("bad", Outcome::done));
    co_await next.stop();
}
TEST_P(SourceThatShows, SettlesOnceAndForAllButForAReplay) { over(settles); }

Task<void> retires(Loop& loop, World& world) {
    Cancel never;
    {
        SourceLife life(loop, world.named, *world.rig, world.ledger);
        world.happen({"accepted", "refused"});
        co_await life.take(2, false);
        const std::string id = life.events["accepted"].id;
        world.ledger.known[id] = Presence::live;
        co_await life.stop();
        for (int times = 0; times < 2; ++times) {
            const Result<void> retired = co_await life.source().retire(never);
            EXPECT_TRUE(retired.has_value());
        }
    }
    EXPECT_TRUE(world.rig->in_place("refused").value_or(true)) << "nobody will look for it";
    EXPECT_FALSE(world.rig->in_place("accepted").value_or(false)) << "a job has it";
}
TEST_P(SourceConformance, PutsBackWhatBecameNoJobWhenItIsRetired) { over(retires); }

Task<void> recovers(Loop& loop, World& world) {
    {
        SourceLife life(loop, world.named, *world.rig, world.ledger);
        world.happen({"was-lost", "was-live", "was-done", "was-dead"});
        co_await life.take(4);
        world.ledger.known.clear();
        const auto learn = [&](const char* word, Presence presence, Outcome outcome) {
            const Event& event = life.events[word];
            world.ledger.known[event.id] = presence;
            world.ledger.settlements[event.id] = test::settlement_of(event, outcome);
        };
        learn("was-live", Presence::live, Outcome::done);
        learn("was-done", Presence::done, Outcome::done);
        learn("was-dead", Presence::dead, Outcome::dead);
        co_await life.stop();
    }
    SourceLife next(loop, world.named, *world.rig, world.ledger);
    const auto finished = [&] {
        return world.rig->ended("was-done", Outcome::done) &&
               world.rig->ended("was-dead", Outcome::dead);
    };
    co_await test::eventually(loop, finished);
    const Words again = co_await next.take(1);
    EXPECT_EQ(again, Words{"was-lost"}) << "only what the queue does not know";
    co_await next.pass(std::chrono::seconds(2));
    EXPECT_EQ(next.out().size(), 0u);
    co_await next.stop();
}
TEST_P(SourceThatShows, FinishesAtItsStartWhatACrashLeft) { over(recovers); }

Task<void> comes_back(Loop& loop, World& world) {
    SourceLife life(loop, world.named, *world.rig, world.ledger);
    const auto fine = [&life] { return life.source().status().value("ok", false); };
    const auto unwell = [&life] { return !life.source().status().value("ok", true); };
    co_await test::eventually(loop, fine);
    world.rig->take_away();
    co_await test::eventually(loop, unwell);
    EXPECT_FALSE(life.ended()) << "a fault that passes is no end";
    Cancel never;
    const std::vector<Problem> problems = co_await life.source().probe(never);
    EXPECT_FALSE(problems.empty());
    world.rig->bring_back();
    world.rig->happen("a");
    const Words after = co_await life.take(1);
    EXPECT_EQ(after, Words{"a"});
    co_await test::eventually(loop, fine);
    const std::vector<Problem> none = co_await life.source().probe(never);
    EXPECT_TRUE(none.empty()) << none.front().message;
    co_await life.stop();
}
TEST_P(SourceWithAWorld, ComesBackWhenTheWorldDoes) { over(comes_back); }

Task<void> never_there(Loop& loop, World& world) {
    world.rig->take_away();
    SourceLife life(loop, world.named, *world.rig, world.ledger);
    const auto unwell = [&life] { return !life.source().status().value("ok", true); };
    co_await test::eventually(loop, unwell);
    co_await life.stop();
}
TEST_P(SourceWithAWorld, StopsWhileTheWorldIsAway) { over(never_there); }

std::string name_of(const testing::TestParamInfo<test::NamedSourceRig>& one) {
    return std::string(one.param.entry->spec.name);
}
std::vector<test::NamedSourceRig> with(test::World least) {
    std::vector<test::NamedSourceRig> rigs = test::source_rigs();
    std::erase_if(rigs, [least](const test::NamedSourceRig& rig) { return rig.world < least; });
    return rigs;
}
INSTANTIATE_TEST_SUITE_P(All, SourceConformance, testing::ValuesIn(test::source_rigs()), name_of);
INSTANTIATE_TEST_SUITE_P(All, SourceWithAWorld, testing::ValuesIn(with(test::World::keeps)),
                         name_of);
INSTANTIATE_TEST_SUITE_P(All, SourceThatShows, testing::ValuesIn(with(test::World::shows)),
                         name_of);

TEST(SourceRigs, EverySourceHasOne) {
    for (const SourceEntry& source : source_catalogue()) {
        const auto& rigs = test::source_rigs();
        EXPECT_TRUE(
            std::any_of(rigs.begin(), rigs.end(),
                        [&](const test::NamedSourceRig& rig) { return rig.entry == &source; }))
            << source.spec.name << " passes no conformance test";
    }
}

}  // namespace
}  // namespace musher
