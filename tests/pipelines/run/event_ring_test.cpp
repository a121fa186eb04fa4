// Events are numbered, bounded, and shared by who listens; counts need nobody.
#include "pipelines/run/event_ring.h"

#include <gtest/gtest.h>

#include "pipelines/run/tally.h"
#include "reactor/base/json.h"

namespace musher {
namespace {

Job job_named(const std::string& id) {
    Job job;
    job.id = id;
    job.event.facts = Json{{"name", id + ".pdf"}};
    return job;
}

TEST(EventRing, KeepsNothingBeforeSomebodyListens) {
    const ManualClock clock;
    EventRing ring(clock);
    Tally tally(clock, ring, "p");
    tally.put(job_named("a"), PutCode::accepted);
    EXPECT_TRUE(ring.deaf());
    EXPECT_EQ(ring.next(), 0u);
    EXPECT_EQ(tally.counts().accepted, 1u);
}

TEST(EventRing, ALineHasAllMembers) {
    const ManualClock clock;
    EventRing ring(clock);
    const EventRing::Listener listener(ring, [] {});
    Tally tally(clock, ring, "p");
    Claim claim;
    claim.job = job_named("a");
    claim.attempt = 2;
    tally.delayed(claim, true, "send", Error(Errc::unavailable, "no route"));
    const Json told = parse_json(ring.line(0)).value();
    EXPECT_EQ(told, (Json{{"type", "job"},
                          {"time", format_time(clock.wall_ms())},
                          {"pipeline", "p"},
                          {"state", "delayed"},
                          {"job", "a"},
                          {"attempt", 2},
                          {"name", "a.pdf"},
                          {"step", "send"},
                          {"reason", "no route"}}));
    EXPECT_EQ(&ring.line(0), &ring.line(0)) << "rendered once for all readers";
    EXPECT_EQ(tally.counts().retried, 1u);
}

TEST(EventRing, LongNamesAndReasonsAreCutBetweenCharacters) {
    const ManualClock clock;
    EventRing ring(clock);
    const EventRing::Listener listener(ring, [] {});
    Tally tally(clock, ring, "p");
    Job job = job_named("a");
    std::string name = "x";
    while (name.size() < (1 << 20)) name += "ö";
    job.event.facts.edit()["name"] = name;
    tally.ended(job, 1, JobState::dead, "s", name);
    EXPECT_EQ(ring.at(0).name, name.substr(0, 1023)) << "1,024 bytes would end in half a letter";
    EXPECT_EQ(ring.at(0).reason, name.substr(0, 1023));
    EXPECT_LT(ring.line(0).size(), 4096u);
    job.event.facts.edit()["name"] = std::string(1 << 20, '\xff');
    tally.put(job, PutCode::accepted);
    EXPECT_EQ(ring.at(1).name.size(), 1024u);
}

TEST(EventRing, AListenerHearsOnceForEachTimeItAsked) {
    const ManualClock clock;
    EventRing ring(clock);
    int heard = 0;
    EventRing::Listener listener(ring, [&] { ++heard; });
    Tally tally(clock, ring, "p");
    tally.paused(true);
    EXPECT_EQ(heard, 0);
    listener.ask();
    tally.paused(false);
    tally.paused(true);
    EXPECT_EQ(heard, 1);
}

TEST(EventRing, ForgetsTheOldest) {
    const ManualClock clock;
    EventRing ring(clock);
    const EventRing::Listener listener(ring, [] {});
    Tally tally(clock, ring, "p");
    for (std::size_t i = 0; i < EventRing::kSize + 10; ++i) {
        tally.put(job_named(std::to_string(i)), PutCode::accepted);
    }
    EXPECT_EQ(ring.first(), 10u);
    EXPECT_EQ(ring.at(ring.first()).job, "10");
    EXPECT_EQ(ring.at(ring.next() - 1).job, std::to_string(EventRing::kSize + 9));
    EXPECT_EQ(parse_json(ring.line(10)).value()["job"], "10") << "not the one it stands in for";
}

TEST(EventRing, GoesOnAfterAnIdOfItsOwn) {
    ManualClock clock;
    EventRing ring(clock);
    const EventRing::Listener listener(ring, [] {});
    Tally tally(clock, ring, "p");
    tally.paused(true);
    tally.paused(false);
    EXPECT_EQ(ring.after(ring.id(0)), std::optional<std::uint64_t>(1));
    EXPECT_EQ(ring.after(ring.id(1)), std::optional<std::uint64_t>(2));
    for (const char* id : {"", "-", "1", "a-b", "0-", "-0", "1-0-0", "99999999999999999999-0"}) {
        EXPECT_EQ(ring.after(id), std::nullopt) << id;
    }
    EXPECT_EQ(ring.after(ring.id(2)), std::nullopt) << "it has not happened yet";
    clock.set_wall(clock.wall_ms() + 1);
    EXPECT_EQ(EventRing(clock).after(ring.id(0)), std::nullopt) << "of another process";
}

TEST(Tally, CountsEachKind) {
    const ManualClock clock;
    EventRing ring(clock);
    Tally tally(clock, ring, "p");
    tally.put(job_named("a"), PutCode::accepted);
    tally.put(job_named("a"), PutCode::known_id);
    tally.put(job_named("b"), PutCode::known_dedupe);
    tally.put(job_named("c"), PutCode::full);
    Claim claim;
    claim.job = job_named("a");
    tally.started(claim);
    tally.ran(milliseconds(3));
    tally.done("a", 1, claim.job.event);
    tally.ended(claim.job, 1, JobState::dead, "s", "why");
    tally.ended(claim.job, 1, JobState::cancelled, "", "");
    tally.held("sink", "away");
    const Tally::Counts& counts = tally.counts();
    EXPECT_EQ(counts.accepted, 1u);
    EXPECT_EQ(counts.duplicates, 2u);
    EXPECT_EQ(counts.done, 1u);
    EXPECT_EQ(counts.dead, 1u);
    EXPECT_EQ(counts.cancelled, 1u);
    EXPECT_EQ(counts.holds, 1u);
    EXPECT_EQ(counts.wait.count(), 1u);
    EXPECT_EQ(counts.run.count(), 1u);
    EXPECT_DOUBLE_EQ(counts.run.sum_seconds(), 0.003);
}

TEST(Tally, WaitsOfFirstAttemptsAlone) {
    const ManualClock clock;
    EventRing ring(clock);
    Tally tally(clock, ring, "p");
    Claim claim;
    claim.job = job_named("a");
    claim.attempt = 2;
    tally.started(claim);
    EXPECT_EQ(tally.counts().wait.count(), 0u);
}

}  // namespace
}  // namespace musher
