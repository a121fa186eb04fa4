// Admission and order: ids, dedupe, priority, delay, keys, pause, limits.
#include "tests/support/queue_conformance.h"

namespace musher::test {
using std::chrono::seconds;

QUEUE_CASE(AcceptsAJobOnce) {
    EXPECT_AWAIT(q.put(q.job("a")), "accepted");
    EXPECT_AWAIT(q.put(q.job("a")), "known_id");
    EXPECT_AWAIT(q.claim(5), "a");
    EXPECT_AWAIT(q.put(q.job("a")), "known_id");
    EXPECT_AWAIT(q.ack("a"), "acked");
    EXPECT_AWAIT(q.put(q.job("a")), "known_id");
    EXPECT_AWAIT(q.put(q.job("b")), "accepted");
    EXPECT_AWAIT(q.claim(5), "b");
    EXPECT_AWAIT(q.fail("b", false), "dead");
    EXPECT_AWAIT(q.put(q.job("b")), "known_id");
    EXPECT_AWAIT(q.claim(5), "");
}

QUEUE_CASE(AcceptsAJobOnceWithinABatch) {
    std::vector<Job> twice(2, q.job("a"));
    twice.push_back(q.job("b"));
    EXPECT_AWAIT(q.put_all(twice), "accepted known_id accepted");
    EXPECT_AWAIT(q.claim(5), "a b");
}

QUEUE_CASE(HandsOutWhatWasPutIn) {
    Job job = q.keyed("a", "k");
    job.event.facts = Json{{"path", "/srv/in/a\u00e9.pdf"}, {"list", {1, 2.5, nullptr, true}}};
    job.event.file = "/srv/in/\xff.pdf";
    job.priority = 3;
    job.revision = 9;
    co_await q.put(job);
    co_await q.claim(1);
    EXPECT_EQ(q.held("a").job.encode(), job.encode());
    EXPECT_EQ(q.held("a").job.queue, "orders");
    EXPECT_EQ(q.held("a").attempt, 1);
    EXPECT_EQ(q.held("a").receipts, Json::array());
}

QUEUE_CASE(KeepsOneLiveJobPerDedupeValue) {
    EXPECT_AWAIT(q.put(q.deduped("a", "invoice 7")), "accepted");
    EXPECT_AWAIT(q.put(q.deduped("b", "invoice 7")), "known_dedupe");
    EXPECT_AWAIT(q.put(q.deduped("c", "invoice 8")), "accepted");
    EXPECT_AWAIT(q.claim(1), "a");
    EXPECT_AWAIT(q.put(q.deduped("b", "invoice 7")), "known_dedupe");
    EXPECT_AWAIT(q.fail("a"), "again");
    EXPECT_AWAIT(q.put(q.deduped("b", "invoice 7")), "known_dedupe");
    EXPECT_AWAIT(q.hasten("a"), "ok");
    EXPECT_AWAIT(q.claim(1), "a");
    EXPECT_AWAIT(q.ack("a"), "acked");
    EXPECT_AWAIT(q.put(q.deduped("b", "invoice 7")), "accepted");
    EXPECT_AWAIT(q.put(q.deduped("d", "invoice 7")), "known_dedupe");
    EXPECT_AWAIT(q.cancel_job("b"), "cancelled");
    EXPECT_AWAIT(q.put(q.deduped("d", "invoice 7")), "accepted");
}

QUEUE_CASE(DedupesWithinABatch) {
    std::vector<Job> jobs;
    jobs.push_back(q.deduped("a", "x"));
    jobs.push_back(q.deduped("b", "x"));
    EXPECT_AWAIT(q.put_all(jobs), "accepted known_dedupe");
}

QUEUE_CASE(RunsLowerPrioritiesFirstAndOlderOnesFirstWithinThem) {
    co_await q.put(q.ranked("c", 5));
    co_await q.put(q.ranked("a", 0));
    co_await q.put(q.ranked("d", 5));
    co_await q.put(q.ranked("e", 4095));
    co_await q.put(q.ranked("b", 0));
    EXPECT_AWAIT(q.claim(2), "a b");
    EXPECT_AWAIT(q.claim(9), "c d e");
}

QUEUE_CASE(KeepsAReleasedJobInItsPlace) {
    std::vector<Job> jobs{q.job("a"), q.job("b"), q.job("c")};
    co_await q.put_all(jobs);
    EXPECT_AWAIT(q.claim(2), "a b");
    EXPECT_AWAIT(q.release("b"), "ok");
    EXPECT_AWAIT(q.release("a"), "ok");
    EXPECT_AWAIT(q.claim(3), "a b c");
    EXPECT_EQ(q.held("a").attempt, 1) << "a released job has spent no try";
}

QUEUE_CASE(LetsOthersPassAJobThatIsReleasedForLater) {
    std::vector<Job> jobs{q.job("a"), q.job("b")};
    co_await q.put_all(jobs);
    EXPECT_AWAIT(q.claim(1), "a");
    EXPECT_AWAIT(q.release("a", seconds(30)), "ok");
    EXPECT_AWAIT(q.state("a"), "delayed");
    EXPECT_AWAIT(q.claim(2), "b");
    co_await q.pass(seconds(30));
    EXPECT_AWAIT(q.claim(2), "a");
    EXPECT_EQ(q.held("a").attempt, 1) << "a released job has spent no try";
}

QUEUE_CASE(HoldsDelayedJobsUntilTheyAreDue) {
    EXPECT_AWAIT(q.next_due(), milliseconds(0));
    co_await q.put(q.delayed("late", seconds(90)));
    co_await q.put(q.delayed("soon", seconds(30)));
    EXPECT_AWAIT(q.claim(5), "");
    EXPECT_AWAIT(q.state("soon"), "delayed");
    const milliseconds due = co_await q.next_due();
    EXPECT_GT(due, seconds(20));
    EXPECT_LE(due, seconds(30));
    const QueueStats stats = co_await q.stats();
    EXPECT_EQ(stats.delayed, 2u);
    EXPECT_NEAR(static_cast<double>(stats.next_due_ms - q.rig().now_ms()), 30'000, 10'000);
    co_await q.pass(seconds(30));
    EXPECT_AWAIT(q.claim(5), "soon");
    co_await q.pass(seconds(60));
    EXPECT_AWAIT(q.claim(5), "late");
    EXPECT_AWAIT(q.next_due(), milliseconds(0));
}

QUEUE_CASE(PutsADueJobIntoItsPlaceByAcceptance) {
    co_await q.put(q.delayed("first", seconds(30)));
    co_await q.put(q.job("second"));
    co_await q.pass(seconds(30));
    EXPECT_AWAIT(q.claim(5), "first second");
}

QUEUE_CASE(HastensDelayedJobs) {
    co_await q.put(q.delayed("a", seconds(30)));
    EXPECT_AWAIT(q.hasten("a"), "ok");
    EXPECT_AWAIT(q.state("a"), "waiting");
    EXPECT_AWAIT(q.hasten("a"), "ok");
    EXPECT_AWAIT(q.claim(1), "a");
    EXPECT_AWAIT(q.hasten("a"), "conflict");
    EXPECT_AWAIT(q.hasten("nobody"), "not_found");
}

QUEUE_CASE(RunsOneJobPerKeyInOrderOfAcceptance) {
    std::vector<Job> jobs{q.keyed("a1", "a"), q.keyed("a2", "a"), q.keyed("b1", "b"), q.job("free"),
                          q.keyed("a3", "a")};
    jobs[4].priority = 0;
    jobs[1].priority = 9;  // the order within a key is that of acceptance, whatever the priority
    co_await q.put_all(jobs);
    EXPECT_AWAIT(q.claim(9), "a1 b1 free");
    EXPECT_AWAIT(q.state("a2"), "waiting");
    EXPECT_AWAIT(q.ack("a1"), "acked");
    EXPECT_AWAIT(q.claim(9), "a2");
    EXPECT_AWAIT(q.claim(9), "");
    EXPECT_AWAIT(q.ack("a2"), "acked");
    EXPECT_AWAIT(q.claim(9), "a3");
}

QUEUE_CASE(TellsKeysApartThatLookAlike) {
    std::vector<Job> jobs{q.keyed("1", "a"),  q.keyed("2", "a"),
                          q.keyed("3", "ab"), q.keyed("4", std::string("a\0b", 3)),
                          q.keyed("5", "ab"), q.keyed("6", "a\xff")};
    co_await q.put_all(jobs);
    EXPECT_AWAIT(q.claim(9), "1 3 4 6");
    EXPECT_AWAIT(q.ack("1"), "acked");
    EXPECT_AWAIT(q.claim(9), "2");
    EXPECT_AWAIT(q.ack("3"), "acked");
    EXPECT_AWAIT(q.claim(9), "5");
}

QUEUE_CASE(BlocksAKeyWhileItsJobWaitsForARetry) {
    std::vector<Job> jobs{q.keyed("1", "k"), q.keyed("2", "k"), q.keyed("3", "k")};
    co_await q.put_all(jobs);
    EXPECT_AWAIT(q.claim(9), "1");
    EXPECT_AWAIT(q.fail("1", true, seconds(60)), "again");
    EXPECT_AWAIT(q.claim(9), "");
    co_await q.pass(seconds(60));
    EXPECT_AWAIT(q.claim(9), "1");
    EXPECT_AWAIT(q.release("1"), "ok");
    EXPECT_AWAIT(q.claim(9), "1");
    EXPECT_AWAIT(q.fail("1", false), "dead");
    EXPECT_AWAIT(q.claim(9), "2");
    EXPECT_AWAIT(q.cancel_job("3"), "cancelled");
    EXPECT_AWAIT(q.ack("2"), "acked");
    EXPECT_AWAIT(q.put(q.keyed("4", "k")), "accepted");
    EXPECT_AWAIT(q.claim(9), "4");
}

QUEUE_CASE(BlocksAKeyWhileItsFirstJobIsNotDue) {
    Job first = q.delayed("1", seconds(60));
    first.key = "k";
    co_await q.put(first);
    Job second = q.delayed("2", seconds(90));
    second.key = "k";
    co_await q.put(second);
    EXPECT_AWAIT(q.claim(9), "");
    EXPECT_AWAIT(q.cancel_job("1"), "cancelled");
    EXPECT_AWAIT(q.state("2"), "delayed");
    co_await q.pass(seconds(90));
    EXPECT_AWAIT(q.claim(9), "2");
}

QUEUE_CASE(FreesAKeyWhenItsWaitingJobIsCancelled) {
    std::vector<Job> jobs{q.keyed("1", "k"), q.keyed("2", "k"), q.keyed("3", "k")};
    co_await q.put_all(jobs);
    EXPECT_AWAIT(q.cancel_job("2"), "cancelled");
    EXPECT_AWAIT(q.cancel_job("1"), "cancelled");
    EXPECT_AWAIT(q.claim(9), "3");
}

QUEUE_CASE(ReplaysAKeyedJobBehindTheOthers) {
    std::vector<Job> jobs{q.keyed("1", "k"), q.keyed("2", "k")};
    co_await q.put_all(jobs);
    EXPECT_AWAIT(q.claim(9), "1");
    EXPECT_AWAIT(q.fail("1", false), "dead");
    EXPECT_AWAIT(q.replay("1"), "ok");
    EXPECT_AWAIT(q.claim(9), "2");
    EXPECT_AWAIT(q.ack("2"), "acked");
    EXPECT_AWAIT(q.claim(9), "1");
}

QUEUE_CASE(HandsOutNothingWhilePaused) {
    co_await q.put(q.job("a"));
    EXPECT_AWAIT(q.claim(1), "a");
    co_await q.pause(true);
    co_await q.put(q.job("b"));
    EXPECT_AWAIT(q.claim(5), "");
    EXPECT_AWAIT(q.ack("a"), "acked");
    QueueStats stats = co_await q.stats();
    EXPECT_TRUE(stats.paused);
    co_await q.pause(false);
    EXPECT_AWAIT(q.claim(5), "b");
    stats = co_await q.stats();
    EXPECT_FALSE(stats.paused);
}

static QueueOptions at_most_three() {
    QueueOptions options;
    options.waiting = 3;
    return options;
}
QUEUE_CASE_WITH(IsFullAtItsLimit, at_most_three()) {
    std::vector<Job> jobs{q.keyed("a", "k"), q.keyed("b", "k"), q.delayed("c", seconds(30)),
                          q.job("d")};
    EXPECT_AWAIT(q.put_all(jobs), "accepted accepted accepted full");
    EXPECT_AWAIT(q.put(q.job("a")), "known_id");
    EXPECT_AWAIT(q.claim(9), "a");
    EXPECT_AWAIT(q.put(q.job("d")), "accepted");
    EXPECT_AWAIT(q.put(q.job("e")), "full");
    Job alarm = q.job("alarm");
    alarm.on_failure = true;
    EXPECT_AWAIT(q.put(alarm), "accepted");
}

QUEUE_CASE(TakesMoreThanABatchAtOnce) {
    std::vector<Job> jobs;
    for (int i = 0; i < 300; ++i) jobs.push_back(q.job("j" + std::to_string(1000 + i)));
    const std::string codes = co_await q.put_all(jobs);
    EXPECT_EQ(codes.find("known"), std::string::npos);
    CycleIn in;
    in.claim = 200;
    Result<CycleOut> out = co_await q.queue().cycle(std::move(in), q.never);
    EXPECT_EQ(out->claimed.claims.size(), 200u);
    CycleIn again;
    for (const Claim& claim : out->claimed.claims) {
        again.acks.push_back(Ack{claim.job.id, claim.token, nullptr});
        again.beats.push_back(Beat{claim.job.id, claim.token});
    }
    again.claim = 200;
    out = co_await q.queue().cycle(std::move(again), q.never);
    EXPECT_EQ(out->acks, std::vector<AckCode>(200, AckCode::acked));
    EXPECT_EQ(out->beats, std::vector<BeatCode>(200, BeatCode::gone));
    EXPECT_EQ(out->claimed.claims.size(), 100u);
}

}  // namespace musher::test
