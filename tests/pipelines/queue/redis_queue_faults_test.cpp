// Producers and workers go on while the server forgets its scripts, drops its clients or is killed
// and started again: nothing accepted is lost, nothing runs twice, no old token settles a job.
#include "reactor/base/uuid.h"
#include "tests/support/redis_queue_rig.h"
#include "tests/support/run_loop.h"

namespace musher::test {
namespace {

constexpr int kProducers = 4;
constexpr int kWorkers = 4;
constexpr int kJobsEach = 400;
constexpr int kPut = 25;  // jobs per put
constexpr int kJobs = kProducers * kJobsEach;

/// Kept outside of Redis: who started what, and what its end was.
struct Ledger {
    explicit Ledger(Loop& loop) : changed(loop.ready()) {}
    std::map<std::string, int> accepted, started, ended;
    int faults = 0;  // answers that were lost
    Waiters changed;
};

struct Shop {
    Loop& loop;
    RedisServer& server;
    Ledger& ledger;
    Cancel never;
};

Task<void> produce(Shop& shop, JobQueue& queue) {
    for (int made = 0; made < kJobsEach; made += kPut) {
        std::vector<Job> jobs;
        for (int i = 0; i < kPut; ++i) {
            jobs.push_back(Trial::keyed(new_uuid7(made), i % 5 == 0 ? "key" : ""));
        }
        // An answer that was lost may have been a yes: the same again, until there is one.
        for (;;) {
            const auto codes = co_await queue.put(jobs, shop.never);
            if (codes) {
                for (const PutCode code : *codes) {
                    EXPECT_TRUE(code == PutCode::accepted || code == PutCode::known_id);
                }
                break;
            }
            EXPECT_EQ(codes.error().code, Errc::unavailable) << codes.error().text();
            ++shop.ledger.faults;
        }
        for (const Job& job : jobs) ++shop.ledger.accepted[job.id];
        shop.ledger.changed.wake_all();
    }
}

void note(Ledger& ledger, const CycleIn& in, const CycleOut& out) {
    for (std::size_t i = 0; i < in.acks.size(); ++i) {
        // `gone` answers an ack that was sent again.
        EXPECT_NE(out.acks[i], AckCode::stolen) << in.acks[i].id;
        ++ledger.ended[in.acks[i].id];
    }
    for (const Claim& claim : out.claimed.claims) {
        ++ledger.started[claim.job.id];
        EXPECT_EQ(claim.attempt, 1) << claim.job.id;
    }
    ledger.changed.wake_all();
}

Task<void> work(Shop& shop, JobQueue& queue) {
    CycleIn in;
    while (shop.ledger.ended.size() < kJobs) {
        in.claim = 8;
        const Result<CycleOut> out = co_await queue.cycle(in, shop.never);
        if (!out) {
            EXPECT_EQ(out.error().code, Errc::unavailable) << out.error().text();
            ++shop.ledger.faults;
            continue;
        }
        note(shop.ledger, in, *out);
        const bool idle = out->claimed.claims.empty() && in.acks.empty();
        in.acks.clear();
        for (const Claim& claim : out->claimed.claims) {
            in.acks.push_back(Ack{claim.job.id, claim.token, nullptr});
        }
        if (idle && shop.ledger.ended.size() < kJobs) {
            const Result<void> woken = co_await shop.ledger.changed.wait(shop.never);
            EXPECT_TRUE(woken.has_value());
        }
    }
}

/// Breaks something after every so many ends.
Task<void> disturb(Shop& shop, std::function<void(RedisServer&)> hit, std::size_t every) {
    for (std::size_t next = every; next < kJobs; next += every) {
        while (shop.ledger.ended.size() < next) {
            const Result<void> woken = co_await shop.ledger.changed.wait(shop.never);
            EXPECT_TRUE(woken.has_value());
        }
        hit(shop.server);
    }
}

using Hit = std::function<void(RedisServer&)>;

Task<void> campaign(Loop& loop, RedisServer& server, Hit& hit, std::size_t& every) {
    Ledger ledger(loop);
    Shop shop{loop, server, ledger, {}};
    RedisOptions options;
    options.backoff_cap = milliseconds(20);
    Redis redis(loop, server.target(), options);
    Redis other(loop, server.target(), options);
    RedisQueue queue(loop, redis, "orders");
    RedisQueue elsewhere(loop, other, "orders");  // another process would do the same
    {
        Scope scope("campaign", loop.ready(), loop.clock());
        for (int i = 0; i < kProducers; ++i) scope.spawn("produce", produce(shop, queue));
        for (int i = 0; i < kWorkers; ++i) {
            RedisQueue& mine = i % 2 == 0 ? queue : elsewhere;
            scope.spawn("work", work(shop, mine));
        }
        scope.spawn("disturb", disturb(shop, hit, every));
        co_await scope.join();
    }
    EXPECT_EQ(ledger.accepted.size(), static_cast<std::size_t>(kJobs));
    EXPECT_EQ(ledger.ended.size(), static_cast<std::size_t>(kJobs));
    for (const auto& [id, times] : ledger.started) EXPECT_EQ(times, 1) << id;
    Cancel never;
    const Result<QueueStats> stats = co_await queue.stats(never);
    EXPECT_EQ(stats->done, static_cast<std::uint64_t>(kJobs));
    EXPECT_EQ(stats->waiting + stats->running + stats->dead, 0u);
    EXPECT_EQ(stats->counters.value("enqueued", 0), kJobs);
    EXPECT_EQ(stats->counters.value("done", 0), kJobs);
    EXPECT_AWAIT(queue_faults(redis, "orders"), "");
    testing::Test::RecordProperty("answers_lost", ledger.faults);
    co_await queue.close();
    co_await elsewhere.close();
    co_await redis.close();
    co_await other.close();
}

TEST(RedisQueueFaults, GoesOnWhenTheServerForgetsItsScripts) {
    RedisServer server;
    Hit hit = [](RedisServer& on) { on.command({"SCRIPT", "FLUSH"}); };
    std::size_t every = 100;
    on_loop(campaign, server, hit, every);
}

TEST(RedisQueueFaults, GoesOnWhenConnectionsBreakInTheMiddle) {
    RedisServer server;
    Hit hit = [](RedisServer& on) { on.command({"CLIENT", "KILL", "TYPE", "normal"}); };
    std::size_t every = 40;
    on_loop(campaign, server, hit, every);
}

TEST(RedisQueueFaults, LosesNothingWhenTheServerIsKilled) {
    RedisServer server({"--appendfsync", "always"});
    Hit hit = [](RedisServer& on) {
        on.kill();
        on.start();
    };
    std::size_t every = 200;
    on_loop(campaign, server, hit, every);
}

/// The server is killed and comes back; the connection has noticed.
Task<void> restart(RedisServer& server, Redis& redis) {
    server.kill();
    server.start();
    Cancel never;
    for (;;) {
        std::vector<std::string> ping{"PING"};
        const Result<RedisReply> pong = co_await redis.command(std::move(ping), never);
        if (pong) co_return;
        EXPECT_EQ(pong.error().code, Errc::unavailable);
    }
}

Task<void> old_tokens(Loop& loop, RedisServer& server) {
    RedisQueueRig rig(server);
    co_await rig.start(loop, QueueOptions());
    Trial q(rig);
    co_await q.put(q.job("a"));
    EXPECT_AWAIT(q.claim(1), "a");
    co_await restart(server, rig.redis());
    EXPECT_AWAIT(q.beat("a"), "held");  // an owner survives the server's death
    const Claim old = q.held("a");
    co_await q.pass(std::chrono::seconds(31));
    EXPECT_AWAIT(q.reap(), "1 back");
    EXPECT_AWAIT(q.claim(1), "a");
    const Claim fresh = std::exchange(q.held("a"), old);
    co_await restart(server, rig.redis());
    EXPECT_AWAIT(q.ack("a"), "stolen");
    EXPECT_AWAIT(q.fail("a"), "conflict");
    q.held("a") = fresh;
    EXPECT_AWAIT(q.ack("a"), "acked");
    EXPECT_AWAIT(q.rig().faults(), "");
    co_await rig.stop();
}
TEST(RedisQueueFaults, AcceptsNoOldTokenAfterARestart) {
    RedisServer server({"--appendfsync", "always"});
    on_loop(old_tokens, server);
}

}  // namespace
}  // namespace musher::test
