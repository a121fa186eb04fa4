// What is remembered of jobs: show, list, stats, history, replay, purge.
#include "tests/support/queue_conformance.h"

namespace musher::test {
using std::chrono::seconds;

QUEUE_CASE(ShowsAJobInEveryState) {
    co_await q.put(q.job("a"));
    JobRow row = co_await q.show("a");
    EXPECT_EQ(row.state, JobState::waiting);
    EXPECT_EQ(row.attempt, 0);
    EXPECT_EQ(row.job.encode(), q.job("a").encode());
    co_await q.claim(1);
    row = co_await q.show("a");
    EXPECT_EQ(row.state, JobState::running);
    EXPECT_EQ(row.attempt, 1);
    co_await q.fail("a", true, milliseconds(0));
    co_await q.claim(1);
    co_await q.ack("a");
    row = co_await q.show("a");
    EXPECT_EQ(row.state, JobState::done);
    EXPECT_EQ(row.attempt, 2);
    EXPECT_EQ(row.error, nullptr);
    EXPECT_NEAR(static_cast<double>(row.ended_ms - q.rig().now_ms()), 0, 10'000);
    EXPECT_EQ(row.story.size(), 2u);
    if (row.story.size() != 2) co_return;
    EXPECT_EQ(row.story[0].value("what", ""), "failed a");
    EXPECT_EQ(row.story[1].value("what", ""), "done a");
    EXPECT_EQ(row.job.encode(), q.job("a").encode());
    EXPECT_AWAIT(q.state("nobody"), "not_found");
}

QUEUE_CASE(KeepsAStoryWithinItsBounds) {
    Job job = q.job("a");
    job.max_attempts = 100;
    co_await q.put(job);
    const std::string text(300, 'x');
    Json story = Json::array();
    for (int i = 0; i < 30; ++i) story.push_back(Json{{"what", "step"}, {"detail", text}});
    for (int attempt = 1; attempt <= 4; ++attempt) {
        co_await q.claim(1);
        Defeat defeat;
        defeat.id = "a";
        defeat.token = q.held("a").token;
        defeat.error = Error(Errc::failed, std::string(5000, 'e'));
        defeat.story = story;
        const Result<bool> again = co_await q.queue().fail(std::move(defeat), q.never);
        EXPECT_TRUE(again.value_or(false));
    }
    const JobRow row = co_await q.show("a");
    EXPECT_LE(to_line(row.story).size(), 5000u);
    EXPECT_GT(row.story.size(), 5u);
    EXPECT_LE(to_line(row.error).size(), 2048u);
}

QUEUE_CASE(FindsWhereJobsAre) {
    std::vector<Job> jobs{q.job("done"), q.job("dead"), q.job("runs"), q.job("waits")};
    co_await q.put_all(jobs);
    co_await q.claim(3);
    co_await q.ack("done");
    co_await q.fail("dead", false);
    std::vector<std::string> ids{"waits", "nobody", "done", "dead", "runs"};
    EXPECT_AWAIT(q.find(ids), "live unknown done dead live");
}

QUEUE_CASE(ListsByStateInPages) {
    std::vector<Job> jobs;
    for (const char* id : {"a", "b", "c", "d", "e", "f", "g"}) jobs.push_back(q.job(id));
    jobs.push_back(q.keyed("k1", "k"));
    jobs.push_back(q.keyed("k2", "k"));
    jobs.push_back(q.delayed("l", seconds(30)));
    co_await q.put_all(jobs);
    EXPECT_AWAIT(q.list("waiting", 3), "a b c | d e f | g k1 k2");
    co_await q.claim(5);
    EXPECT_AWAIT(q.list("running", 9), "a b c d e");
    co_await q.ack("a");
    co_await q.pass(seconds(1));
    co_await q.ack("b");
    co_await q.fail("c", false);
    co_await q.fail("d", false, milliseconds(0), JobState::cancelled);
    EXPECT_AWAIT(q.list("done", 9), "b a");
    EXPECT_AWAIT(q.list("dead", 9), "c");
    EXPECT_AWAIT(q.list("cancelled", 9), "d");
    EXPECT_AWAIT(q.list("delayed", 9), "l");
    EXPECT_AWAIT(q.list("waiting", 4), "f g k1 k2");
    const std::string all = co_await q.list("", 3);
    EXPECT_EQ(all.substr(0, 10), "e f g | k1");
    EXPECT_EQ(std::count(all.begin(), all.end(), '|'), 3);
    EXPECT_AWAIT(q.list("waiting", 1), "f | g | k1 | k2");
}

QUEUE_CASE(ListsOnFromAJobThatHasLeft) {
    std::vector<Job> jobs{q.job("a"), q.job("b"), q.job("c"), q.job("d")};
    co_await q.put_all(jobs);
    JobFilter filter;
    filter.state = JobState::waiting;
    filter.limit = 2;
    const Result<JobPage> first = co_await q.queue().list(filter, q.never);
    EXPECT_EQ(first->items.size(), 2u);
    co_await q.cancel_job("b");
    filter.after = first->next;
    const Result<JobPage> second = co_await q.queue().list(filter, q.never);
    EXPECT_EQ(second->next, "");
    EXPECT_EQ(second->items.size(), 2u);
    if (second->items.size() != 2) co_return;
    EXPECT_EQ(second->items[0].job.id, "c");
}

QUEUE_CASE(CountsWhatItHolds) {
    std::vector<Job> jobs{
        q.job("a"), q.job("b"),         q.job("c"),         q.job("d"),
        q.job("e"), q.keyed("k1", "k"), q.keyed("k2", "k"), q.delayed("l", seconds(30))};
    co_await q.put_all(jobs);
    co_await q.claim(4);
    co_await q.ack("a");
    co_await q.fail("b", false);
    co_await q.fail("c", true, seconds(60));
    co_await q.pass(seconds(5));
    const QueueStats stats = co_await q.stats();
    EXPECT_EQ(stats.waiting, 3u);
    EXPECT_EQ(stats.delayed, 2u);
    EXPECT_EQ(stats.running, 1u);
    EXPECT_EQ(stats.done, 1u);
    EXPECT_EQ(stats.dead, 1u);
    EXPECT_EQ(stats.counters.value("enqueued", 0), 8);
    EXPECT_EQ(stats.counters.value("claimed", 0), 4);
    EXPECT_EQ(stats.counters.value("done", 0), 1);
    EXPECT_EQ(stats.counters.value("dead", 0), 1);
    EXPECT_EQ(stats.counters.value("retried", 0), 1);
}

QUEUE_CASE(KnowsTheAgeOfTheOldestWaitingJob) {
    co_await q.put(q.ranked("low", 9));
    co_await q.pass(seconds(20));
    co_await q.put(q.ranked("high", 1));
    co_await q.pass(seconds(20));
    const QueueStats stats = co_await q.stats();
    EXPECT_NEAR(static_cast<double>(stats.oldest_ms), 40'000, 5'000);
    EXPECT_AWAIT(q.claim(2), "high low");
    const QueueStats empty = co_await q.stats();
    EXPECT_EQ(empty.oldest_ms, 0);
}

QUEUE_CASE(ReplaysADeadJobWithItsReceiptsAndAllItsTries) {
    Job job = q.deduped("a", "x");
    job.max_attempts = 1;
    co_await q.put(job);
    co_await q.claim(1);
    co_await q.receipt("a", "one");
    EXPECT_AWAIT(q.fail("a"), "dead");
    EXPECT_AWAIT(q.replay("a"), "ok");
    EXPECT_AWAIT(q.replay("a"), "conflict");
    EXPECT_AWAIT(q.state("a"), "waiting");
    EXPECT_AWAIT(q.put(q.deduped("b", "x")), "known_dedupe");
    EXPECT_AWAIT(q.claim(1), "a");
    EXPECT_EQ(q.held("a").attempt, 1);
    EXPECT_EQ(q.held("a").receipts.size(), 1u);
    EXPECT_EQ(q.held("a").job.encode(), job.encode());
    EXPECT_AWAIT(q.ack("a"), "acked");
    const JobRow row = co_await q.show("a");
    EXPECT_EQ(row.story.size(), 3u) << "failed, replayed, done";
    EXPECT_AWAIT(q.replay("a"), "conflict");
    EXPECT_AWAIT(q.replay("nobody"), "not_found");
}

QUEUE_CASE(ReplaysACancelledJob) {
    co_await q.put(q.job("a"));
    EXPECT_AWAIT(q.cancel_job("a"), "cancelled");
    EXPECT_AWAIT(q.replay("a"), "ok");
    const QueueStats stats = co_await q.stats();
    EXPECT_EQ(stats.cancelled, 0u);
    EXPECT_EQ(stats.waiting, 1u);
    co_await q.run("a");
}

QUEUE_CASE(ReplaysAtOnceWhatWasPutForLater) {
    co_await q.put(q.delayed("a", seconds(60)));
    EXPECT_AWAIT(q.cancel_job("a"), "cancelled");
    EXPECT_AWAIT(q.replay("a"), "ok");
    co_await q.run("a");
}

QUEUE_CASE(RefusesToReplayBesideALiveDedupeValue) {
    co_await q.put(q.deduped("a", "x"));
    co_await q.claim(1);
    co_await q.fail("a", false);
    co_await q.put(q.deduped("b", "x"));
    EXPECT_AWAIT(q.replay("a"), "conflict");
    EXPECT_AWAIT(q.state("a"), "dead");
    co_await q.run("b");
    EXPECT_AWAIT(q.replay("a"), "ok");
}

static QueueOptions short_history() {
    QueueOptions options;
    options.history = 3;
    options.keep = std::chrono::hours(1);
    return options;
}
QUEUE_CASE_WITH(ForgetsTheOldestFinishedJobs, short_history()) {
    for (const char* id : {"a", "b", "c", "d", "e"}) {
        co_await q.put(q.job(id));
        co_await q.run(id);
        co_await q.pass(milliseconds(5));
    }
    EXPECT_AWAIT(q.list("done", 9), "e d c");
    EXPECT_AWAIT(q.state("a"), "not_found");
    EXPECT_AWAIT(q.put(q.job("a")), "accepted");  // forgotten is forgotten
    co_await q.pass(std::chrono::hours(2));
    EXPECT_AWAIT(q.reap(), "0 back");
    EXPECT_AWAIT(q.list("done", 9), "");
    EXPECT_AWAIT(q.state("a"), "waiting");
}

QUEUE_CASE_WITH(ForgetsTheOldestDeadJobs, short_history()) {
    for (const char* id : {"a", "b", "c", "d", "e"}) {
        co_await q.put(q.job(id));
        co_await q.claim(1);
        const JobState end = id[0] == 'b' ? JobState::cancelled : JobState::dead;
        co_await q.fail(id, false, milliseconds(0), end);
        co_await q.pass(milliseconds(5));
    }
    co_await q.reap();
    EXPECT_AWAIT(q.list("dead", 9), "e d c");
    EXPECT_AWAIT(q.list("cancelled", 9), "");
    const QueueStats stats = co_await q.stats();
    EXPECT_EQ(stats.dead, 3u);
    EXPECT_EQ(stats.cancelled, 0u);
}

QUEUE_CASE(WithdrawsWhatDoesNotRun) {
    std::vector<Job> jobs{q.job("runs"), q.keyed("k1", "k"), q.keyed("k2", "k")};
    jobs.push_back(q.deduped("x1", "x"));
    jobs.push_back(q.delayed("later", seconds(60)));
    co_await q.put_all(jobs);
    co_await q.claim(1);
    EXPECT_AWAIT(q.withdraw("runs"), "running");
    EXPECT_AWAIT(q.withdraw("k1"), "cancelled");
    EXPECT_AWAIT(q.withdraw("x1"), "cancelled");
    EXPECT_AWAIT(q.withdraw("later"), "cancelled");
    EXPECT_AWAIT(q.withdraw("nobody"), "not_found");
    EXPECT_AWAIT(q.withdraw("k1"), "cancelled");  // an answer may be lost
    const JobRow row = co_await q.show("k1");
    EXPECT_EQ(row.story.back().value("what", ""), "released");
    EXPECT_EQ(row.error.value("code", ""), "cancelled");
    EXPECT_AWAIT(q.put(q.deduped("x2", "x")), "accepted");
    EXPECT_AWAIT(q.claim(9), "k2 x2");  // the key's next one has its turn
    const QueueStats stats = co_await q.stats();
    EXPECT_EQ(stats.cancelled, 3u);
}

QUEUE_CASE(ForgetsOneEndedJob) {
    std::vector<Job> jobs{q.job("done"), q.job("dead"), q.job("runs"), q.job("back")};
    co_await q.put_all(jobs);
    co_await q.claim(3);
    co_await q.ack("done");
    co_await q.fail("dead", false);
    co_await q.withdraw("back");
    EXPECT_AWAIT(q.forget("back"), "ok");
    EXPECT_AWAIT(q.forget("dead"), "ok");
    EXPECT_AWAIT(q.forget("dead"), "ok");  // an answer may be lost
    EXPECT_AWAIT(q.forget("done"), "conflict");
    EXPECT_AWAIT(q.forget("runs"), "conflict");
    EXPECT_AWAIT(q.state("back"), "not_found");
    const QueueStats stats = co_await q.stats();
    EXPECT_EQ(stats.dead + stats.cancelled, 0u);
    EXPECT_EQ(stats.done, 1u);
    EXPECT_AWAIT(q.put(q.job("back")), "accepted");
}

QUEUE_CASE(PurgesFinishedJobs) {
    std::vector<Job> jobs{q.job("done"), q.job("dead"), q.job("gone"), q.job("waits")};
    co_await q.put_all(jobs);
    co_await q.claim(3);
    co_await q.ack("done");
    co_await q.fail("dead", false);
    co_await q.fail("gone", false, milliseconds(0), JobState::cancelled);
    EXPECT_AWAIT(q.purge(JobState::dead), 1u);
    EXPECT_AWAIT(q.state("dead"), "not_found");
    EXPECT_AWAIT(q.state("gone"), "cancelled");
    EXPECT_AWAIT(q.purge(JobState::cancelled), 1u);
    EXPECT_AWAIT(q.purge(JobState::done), 1u);
    EXPECT_AWAIT(q.purge(JobState::done), 0u);
    const Result<std::size_t> refused = co_await q.queue().purge(JobState::waiting, q.never);
    EXPECT_EQ(refused.error().code, Errc::usage);
    EXPECT_AWAIT(q.list("", 9), "waits");
    EXPECT_AWAIT(q.put(q.job("dead")), "accepted");
}

QUEUE_CASE(DropsBigFactsOfFinishedJobs) {
    Job job = q.job("a");
    job.event.file = "/srv/in/a";
    job.event.facts.edit()["text"] = std::string(20'000, 'x');
    co_await q.put(job);
    co_await q.claim(1);
    EXPECT_EQ(q.held("a").job.encode(), job.encode());
    co_await q.ack("a");
    const JobRow row = co_await q.show("a");
    EXPECT_EQ(*row.job.event.facts, Json::object());
    EXPECT_EQ(row.job.event.file, "/srv/in/a");
    EXPECT_EQ(row.job.event.date, "2023-11-14");
}

}  // namespace musher::test
