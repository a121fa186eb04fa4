// The queue on a real Redis passes the same suite; and what only a server brings with it: formats,
// lost answers, shared batches, memory.
#include "pipelines/queue/redis_queue.h"

#include "reactor/base/uuid.h"
#include "reactor/drivers/redis_subscription.h"
#include "reactor/task/all.h"
#include "tests/support/redis_trial.h"

namespace musher::test {
namespace {

const RedisServer& server() {
    static const RedisServer one;
    return one;
}
std::unique_ptr<QueueRig> make_rig() { return std::make_unique<RedisQueueRig>(server()); }
INSTANTIATE_TEST_SUITE_P(Redis, QueueConformance, testing::Values(make_rig));

/// A user who may touch nothing but this queue's keys and the one channel, and may not look
/// around: the scripts name all their keys.
std::unique_ptr<QueueRig> make_confined_rig() {
    server().command({"ACL", "SETUSER", "confined", "on", "nopass", "~m1:{orders}:*", "&m1:wake",
                      "+@all", "-@dangerous", "-scan", "-randomkey"});
    RedisTarget target = server().target();
    target.user = "confined";
    target.password = "any";
    return std::make_unique<RedisQueueRig>(server(), RedisQueueOptions(), target);
}
INSTANTIATE_TEST_SUITE_P(RedisConfined, QueueConformance, testing::Values(make_confined_rig));

void check(RedisCase run, const RedisServer& on = server(), RedisQueueOptions more = {},
           QueueOptions options = {}) {
    run_on(on, run, std::move(more), options);
}
#define REDIS_CASE(name)                          \
    static Task<void> name##Case(RedisTrial& q);  \
    TEST(RedisQueue, name) { check(name##Case); } \
    static Task<void> name##Case(RedisTrial& q)

REDIS_CASE(ChecksItsRecordsForFaults) {
    std::vector<Job> jobs{q.keyed("a", "k"), q.keyed("b", "k"), q.deduped("c", "x")};
    co_await q.put_all(jobs);
    co_await q.claim(1);
    EXPECT_AWAIT(q.rig().faults(), "");
    co_await q.redis("ZREM", "m1:{orders}:lease", "a");
    EXPECT_AWAIT(q.rig().faults(), "a is in 0 places: \na has an owner and no lease");
    EXPECT_AWAIT(q.reap(), "1 back");  // a lease that vanished is healed
    EXPECT_AWAIT(q.rig().faults(), "");
    co_await q.redis("HDEL", "m1:{orders}:u", "x");
    EXPECT_AWAIT(q.rig().faults(), "c does not hold its dedupe value x");
    co_await q.redis("HSET", "m1:{orders}:u", "x", "c");
    co_await q.redis("HDEL", "m1:{orders}:g", "k");
    EXPECT_AWAIT(q.rig().faults(), "a runs without the turn of k");
}

REDIS_CASE(StoresAReceiptWithoutTheHundredsBeforeIt) {
    co_await q.put(q.job("a"));
    co_await q.claim(1);
    for (int i = 0; i < 200; ++i) {
        co_await q.receipt("a", "each[" + std::to_string(i) + "]" + std::string(300, 'x'));
    }
    const std::string first = co_await q.redis("HSTRLEN", "m1:{orders}:rc", "a");
    const std::string second = co_await q.redis("HSTRLEN", "m1:{orders}:rc", "a\n1");
    for (const std::string& bytes : {first, second}) {
        EXPECT_GE(std::stoi(bytes), 8192);
        EXPECT_LT(std::stoi(bytes), 9000) << "all that one of them makes Redis write";
    }
    co_await q.ack("a");
    EXPECT_AWAIT(q.redis("EXISTS", "m1:{orders}:rc"), "0");
}

Task<std::string> first_reap(RedisTrial& q, const char* node, const char* process) {
    RedisQueueOptions more;
    more.node = node;
    more.reactor = process;
    RedisQueue later(q.loop, q.redis_rig.redis(), "orders", QueueOptions(), std::move(more));
    const Result<Reaped> reaped = co_await later.reap(q.never);
    co_await later.close();
    co_return reaped ? std::to_string(reaped->back) : reaped.error().text();
}

REDIS_CASE(TakesBackAtOnceWhatAnEarlierProcessOfTheNodeHeld) {
    RedisQueueOptions more;
    more.node = "0197aaaa-0000-7000-8000-00000000node";
    more.reactor = "0197aaaa-0000-7000-8000-0000000first";
    RedisQueue killed(q.loop, q.redis_rig.redis(), "orders", QueueOptions(), std::move(more));
    co_await q.put(q.job("a"));
    co_await q.put(q.job("b"));
    CycleIn one;
    one.claim = 1;
    const Result<CycleOut> held = co_await killed.cycle(std::move(one), q.never);
    EXPECT_EQ(held->claimed.claims.size(), 1u);
    co_await killed.close();
    EXPECT_AWAIT(q.claim(1), "b");  // of yet another node, which lives on
    EXPECT_AWAIT(first_reap(q, "0197aaaa-0000-7000-8000-0000000other", "x-0000000second"), "0");
    EXPECT_AWAIT(first_reap(q, "0197aaaa-0000-7000-8000-00000000node",
                            "0197aaaa-0000-7000-8000-0000000first"), "0");
    EXPECT_AWAIT(first_reap(q, "0197aaaa-0000-7000-8000-00000000node",
                            "0197aaaa-0000-7000-8000-000000second"), "1");
    EXPECT_AWAIT(q.claim(9), "a");
    EXPECT_AWAIT(q.rig().faults(), "");
}

REDIS_CASE(SurvivesAJobThatSomebodyDeleted) {
    std::vector<Job> jobs{q.job("a"), q.job("b"), q.delayed("c", milliseconds(1)), q.job("d")};
    co_await q.put_all(jobs);
    co_await q.redis("HDEL", "m1:{orders}:p", "a", "c");
    co_await q.pass(milliseconds(10));
    EXPECT_AWAIT(q.claim(9), "b d");
    co_await q.redis("HDEL", "m1:{orders}:p", "b");
    co_await q.pass(std::chrono::minutes(1));
    EXPECT_AWAIT(q.reap(), "1 back");
    EXPECT_AWAIT(q.rig().faults(), "");
    EXPECT_AWAIT(q.claim(9), "d");
}

REDIS_CASE(RefusesAQueueOfAnUnknownFormat) {
    co_await q.redis("HSET", "m1:{orders}:meta", "format", "3");
    const Result<void> opened = co_await q.redis_rig.queue().open(q.never);
    EXPECT_EQ(opened.error().code, Errc::corrupt);
    EXPECT_EQ(opened.error().message, "queue orders has format 3, this musher reads format 1");
    EXPECT_AWAIT(q.put(q.job("a")), "corrupt");
    EXPECT_AWAIT(q.claim(1), "corrupt");
    EXPECT_AWAIT(q.redis("HGET", "m1:{orders}:meta", "format"), "3");
}

REDIS_CASE(TakesOverAQueueOfTheFormatBefore) {
    co_await q.redis("HSET", "m1:{orders}:meta", "format", "0");
    const Result<void> opened = co_await q.redis_rig.queue().open(q.never);
    EXPECT_TRUE(opened.has_value());
    EXPECT_AWAIT(q.redis("HGET", "m1:{orders}:meta", "format"), "1");
}

REDIS_CASE(FinishesItsJobsAfterAnUpgradeByAnother) {
    co_await q.put(q.job("a"));
    co_await q.put(q.job("b"));
    EXPECT_AWAIT(q.claim(1), "a");
    co_await q.redis("HSET", "m1:{orders}:meta", "format", "2");
    EXPECT_AWAIT(q.beat("a"), "held");
    EXPECT_AWAIT(q.ack("a"), "acked");
    EXPECT_AWAIT(q.claim(1), "corrupt");
    EXPECT_AWAIT(q.state("b"), "waiting");
}

REDIS_CASE(BuriesAJobThatItCannotRead) {
    co_await q.put(q.job("a"));
    co_await q.put(q.job("b"));
    const std::string stored = co_await q.redis("HGET", "m1:{orders}:p", "a");
    std::string other = stored;
    other.replace(other.find("[1,"), 3, "[7,");
    co_await q.redis("HSET", "m1:{orders}:p", "a", other);
    EXPECT_AWAIT(q.claim(9), "b");
    const JobRow row = co_await q.show("a");
    EXPECT_EQ(row.state, JobState::dead);
    EXPECT_EQ(row.job.id, "a");
    EXPECT_EQ(row.error.value("message", ""),
              "job a of queue orders has format 7, this musher reads format 1");
}

REDIS_CASE(SendsThePutsOfOneTurnTogether) {
    co_await q.redis("CONFIG", "RESETSTAT");
    std::vector<Task<std::string>> puts;
    for (int i = 0; i < 300; ++i) puts.push_back(q.put(q.job(std::to_string(i))));
    const auto codes = co_await all(q.loop.ready(), q.loop.clock(), std::move(puts));
    EXPECT_EQ(codes, std::vector<std::string>(300, "accepted"));
    const std::string stats = co_await q.redis("INFO", "commandstats");
    // 128 + 128 + 44; the first of them in a program finds the script unknown and is sent again.
    const bool three = stats.find("cmdstat_evalsha:calls=3,") != std::string::npos;
    EXPECT_TRUE(three) << stats;
    const QueueStats counts = co_await q.stats();
    EXPECT_EQ(counts.waiting, 300u);
}

Task<void> claim_and_vanish(RedisTrial& q, std::size_t most, Cancel& cancel) {
    CycleIn in;
    in.claim = most;
    const Result<CycleOut> out = co_await q.queue().cycle(std::move(in), cancel);
    EXPECT_EQ(out.error().code, Errc::cancelled);
}

/// The server gets the call, hands out jobs, and nobody receives them.
Task<void> lose_an_answer(RedisTrial& q, std::size_t most) {
    co_await q.claim(0);  // the script is known: one round trip
    server().command({"CLIENT", "PAUSE", "60000", "WRITE"});
    Scope scope("lost", q.loop.ready(), q.loop.clock());
    Cancel cancel;
    scope.spawn("claim", claim_and_vanish(q, most, cancel));
    cancel.request();  // the call is on its way, its answer is not
    co_await scope.join();
    server().command({"CLIENT", "UNPAUSE"});
}

REDIS_CASE(HandsOutAgainWhatALostAnswerHeld) {
    std::vector<Job> jobs{q.job("a"), q.job("b"), q.job("c"), q.job("d"), q.job("e")};
    co_await q.put_all(jobs);
    co_await lose_an_answer(q, 3);
    EXPECT_AWAIT(q.state("a"), "running");
    EXPECT_AWAIT(q.claim(3), "a b c");
    EXPECT_EQ(q.held("a").attempt, 1);
    EXPECT_AWAIT(q.ack("a"), "acked");
    co_await lose_an_answer(q, 2);
    EXPECT_AWAIT(q.claim(1), "d");  // the rest of what was lost waits again
    EXPECT_AWAIT(q.state("e"), "waiting");
    EXPECT_AWAIT(q.claim(9), "e");
    EXPECT_AWAIT(q.rig().faults(), "");
}

REDIS_CASE(ForgetsALostAnswerWhoseLeaseRanOut) {
    co_await q.put(q.job("a"));
    co_await lose_an_answer(q, 1);
    co_await q.pass(std::chrono::minutes(1));
    EXPECT_AWAIT(q.reap(), "1 back");
    EXPECT_AWAIT(q.claim(1), "a");
    EXPECT_EQ(q.held("a").attempt, 2);
    EXPECT_AWAIT(q.ack("a"), "acked");
}

/// Collects what is said on the wake channel.
struct Ears {
    explicit Ears(RedisTrial& q) : heard(q.loop.ready()), gap(q.loop.ready()) {}
    std::string words;
    Waiters heard;
    Waiters gap;
};

/// Says `end` on the channel and waits for it: what came before is all there was.
Task<std::string> all_heard(RedisTrial& q, Ears& ears) {
    co_await q.redis("PUBLISH", std::string(kWakeChannel), "end");
    while (!ears.words.ends_with("end ")) {
        const Result<void> woken = co_await ears.heard.wait(q.never);
        EXPECT_TRUE(woken.has_value());
    }
    const std::string words = std::exchange(ears.words, {});
    co_return words.substr(0, words.size() - 4);
}

REDIS_CASE(WakesOthersOnlyWhenThereIsNewWork) {
    Ears ears(q);
    RedisSubscription subscription(q.loop, server().target());
    RedisSubscription::Listener listener;
    listener.on_message = [&](std::string_view queue) {
        ears.words += std::string(queue) + " ";
        ears.heard.wake_all();
    };
    listener.on_gap = [&] { ears.gap.wake_all(); };
    subscription.subscribe(std::string(kWakeChannel), std::move(listener));
    const Result<void> subscribed = co_await ears.gap.wait(q.never);
    EXPECT_TRUE(subscribed.has_value());

    co_await q.put(q.job("a"));
    EXPECT_AWAIT(all_heard(q, ears), "orders ");
    co_await q.put(q.job("b"));  // somebody is busy with the queue already
    EXPECT_AWAIT(all_heard(q, ears), "");
    co_await q.claim(2);
    co_await q.put(q.delayed("later", std::chrono::minutes(2)));
    EXPECT_AWAIT(all_heard(q, ears), "orders ");
    co_await q.put(q.delayed("latest", std::chrono::minutes(3)));
    EXPECT_AWAIT(all_heard(q, ears), "");
    co_await q.put(q.delayed("soon", std::chrono::minutes(1)));
    EXPECT_AWAIT(all_heard(q, ears), "orders ");
    co_await q.release("a");
    EXPECT_AWAIT(all_heard(q, ears), "orders ");
    co_await q.cancel_job("b");
    EXPECT_AWAIT(all_heard(q, ears), "orders order ");
    co_await q.pause(true);
    EXPECT_AWAIT(all_heard(q, ears), "orders order ");
    co_await q.pause(false);
    EXPECT_AWAIT(all_heard(q, ears), "orders orders order ");
    co_await subscription.close();
}

REDIS_CASE(ListsReactorsThatAreAlive) {
    EXPECT_AWAIT(q.redis("HGET", "m1:{orders}:rd", "r1"), "");
    RedisQueueOptions more;
    more.reactor = "r1";
    more.about = Json{{"host", "press"}};
    RedisQueue queue(q.loop, q.redis_rig.redis(), "orders", QueueOptions(), more);
    CycleIn nothing;
    const Result<CycleOut> out = co_await queue.cycle(nothing, q.never);
    EXPECT_TRUE(out.has_value());
    EXPECT_AWAIT(q.redis("HGET", "m1:{orders}:rd", "r1"), "{\"host\":\"press\"}");
    QueueStats stats = co_await q.stats();
    EXPECT_EQ(stats.counters.value("reactors", 0), 1);
    co_await queue.leave(q.never);
    stats = co_await q.stats();
    EXPECT_EQ(stats.counters.value("reactors", 0), 0);
    const Result<CycleOut> back = co_await queue.cycle(nothing, q.never);
    EXPECT_TRUE(back.has_value());
    stats = co_await q.stats();
    EXPECT_EQ(stats.counters.value("reactors", 0), 1);
    co_await q.pass(std::chrono::minutes(1));
    co_await q.reap();
    stats = co_await q.stats();
    EXPECT_EQ(stats.counters.value("reactors", 0), 0);
    EXPECT_AWAIT(q.redis("HGET", "m1:{orders}:rd", "r1"), "");
    co_await queue.close();
}

REDIS_CASE(MeasuresHowLongJobsWait) {
    std::vector<Job> jobs{q.job("a"), q.job("b"), q.job("c")};
    co_await q.put_all(jobs);
    co_await q.pass(std::chrono::seconds(5));
    co_await q.claim(3);
    const QueueStats stats = co_await q.stats();
    EXPECT_EQ(stats.counters["recent"].value("claimed", 0), 3);
    EXPECT_EQ(stats.counters["recent"].value("wait_p50_ms", 0), 8192) << "5 s, by powers of two";
}

REDIS_CASE(RefusesAServerThatEvicts) {
    co_await q.redis("CONFIG", "SET", "maxmemory-policy", "allkeys-lru");
    const Result<void> opened = co_await q.redis_rig.queue().open(q.never);
    EXPECT_EQ(opened.error().code, Errc::usage);
    EXPECT_EQ(opened.error().message, "redis may evict jobs: its maxmemory-policy is allkeys-lru");
    co_await q.redis("CONFIG", "SET", "maxmemory-policy", "noeviction");
}

static Task<void> full_memory(RedisTrial& q) {
    std::vector<Job> jobs{q.keyed("a", "k"), q.deduped("b", "x"), q.job("c")};
    co_await q.put_all(jobs);
    EXPECT_AWAIT(q.claim(2), "a b");
    co_await q.redis("CONFIG", "SET", "maxmemory", "1");
    EXPECT_AWAIT(q.put(q.deduped("d", "y")), "full");
    EXPECT_AWAIT(q.ack("a"), "acked");
    EXPECT_AWAIT(q.beat("b"), "held");
    EXPECT_AWAIT(q.receipt("b", "one"), "ok");
    EXPECT_AWAIT(q.fail("b"), "again");
    EXPECT_AWAIT(q.claim(1), "c");
    co_await q.pass(std::chrono::seconds(31));
    EXPECT_AWAIT(q.reap(), "1 back");
    EXPECT_AWAIT(q.cancel_job("c"), "cancelled");
    co_await q.redis("CONFIG", "SET", "maxmemory", "0");
    EXPECT_AWAIT(q.rig().faults(), "");
    EXPECT_AWAIT(q.put(q.deduped("d", "y")), "accepted");
}
TEST(RedisQueue, EndsJobsOnAServerWithoutMemoryButTakesNone) {
    const RedisServer own;
    check(full_memory, own);
}

REDIS_CASE(TakesLittleMemoryPerWaitingJob) {
    constexpr int kJobs = 20'000;
    const auto used = [](const std::string& info) {
        return std::atof(info.c_str() + info.find("used_memory:") + 12);
    };
    co_await q.put(q.job("first"));
    const std::string before = co_await q.redis("INFO", "memory");
    std::vector<Job> jobs;
    for (int i = 0; i < kJobs; ++i) {
        Job job = q.job(new_uuid7(1'700'000'000'000 + i));
        job.event.facts = Json(std::string(198, 'x'));  // 200 bytes with its quotes
        jobs.push_back(std::move(job));
    }
    co_await q.put_all(std::move(jobs));
    const std::string after = co_await q.redis("INFO", "memory");
    const double each = (used(after) - used(before)) / kJobs;
    EXPECT_LE(each, 600.0);
    testing::Test::RecordProperty("bytes_per_waiting_job", std::to_string(each));
}

}  // namespace
}  // namespace musher::test
