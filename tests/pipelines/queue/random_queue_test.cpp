// Seeded random operations on both queues at once: they must answer alike, the records on Redis
// must stay consistent, and a simple ledger knows what no queue may ever do.
#include <cstdlib>
#include <random>
#include <sstream>

#include "tests/support/memory_queue_rig.h"
#include "tests/support/redis_queue_rig.h"
#include "tests/support/run_loop.h"

namespace musher::test {
namespace {
using std::chrono::seconds;

constexpr int kOperations = 400;
constexpr int kIds = 60;
constexpr const char* kKeys[] = {"", "", "", "red", "green", "blue"};
constexpr const char* kDedupes[] = {"", "", "", "", "1", "2", "3"};

/// What is known from the outside: what was accepted, in which order, and who holds what.
class Ledger {
  public:
    void accepted(const Job& job) {
        EXPECT_FALSE(live_.contains(job.id)) << job.id << " was accepted twice";
        for (const auto& [id, one] : live_) {
            const bool same = !job.dedupe.empty() && one.job.dedupe == job.dedupe;
            EXPECT_FALSE(same) << id << " and " << job.id << " live with the same dedupe value";
        }
        live_[job.id] = Entry{job, ++clock_, false, 0};
    }
    void claimed(const std::string& id) {
        ASSERT_TRUE(live_.contains(id)) << id << " was handed out, but nobody accepted it";
        Entry& mine = live_[id];
        EXPECT_FALSE(mine.running) << id << " was handed out twice";
        for (const auto& [other, one] : live_) {
            if (other == id || mine.job.key.empty() || one.job.key != mine.job.key) continue;
            EXPECT_GT(one.order, mine.order) << id << " ran before " << other << " of its key";
        }
        mine.running = true;
    }
    void back(const std::string& id) { live_[id].running = false; }
    void failed(const std::string& id) {
        Entry& mine = live_[id];
        mine.running = false;
        EXPECT_LT(++mine.failures, mine.job.max_attempts) << id << " goes on without tries left";
    }
    /// Done, dead or cancelled. A dead one may come back.
    void ended(const std::string& id) {
        EXPECT_TRUE(live_.contains(id)) << id << " ended, but did not live";
        graves_[id] = live_[id].job;
        live_.erase(id);
    }
    void replayed(const std::string& id) { accepted(graves_.at(id)); }
    bool running(const std::string& id) const { return live_.contains(id) && live_.at(id).running; }

  private:
    struct Entry {
        Job job;
        int order = 0;
        bool running = false;
        int failures = 0;
    };
    std::map<std::string, Entry> live_;
    std::map<std::string, Job> graves_;
    int clock_ = 0;
};

/// One operation after the other on both queues.
class Pair {
  public:
    Pair(QueueRig& redis, QueueRig& memory, unsigned seed)
        : redis_(redis), memory_(memory), random_(seed) {}

    Task<void> operate();
    Task<void> compare();
    std::string last;  // the operations so far

  private:
    int pick(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }
    std::string any_id() { return "job" + std::to_string(pick(kIds)); }
    std::string any_held();
    Job any_job(Trial& on, std::string id, std::uint32_t dice) const;

    Task<void> put();
    Task<void> claim();
    Task<void> settle(std::string id);
    Task<void> settle_stale();
    Task<void> order_by_hand();
    Task<void> time_passes();
    /// Both answers, which must be the same; that answer.
    Task<std::string> both(std::string what, Task<std::string> redis, Task<std::string> memory);

    Trial redis_;
    Trial memory_;
    std::mt19937 random_;
    Ledger ledger_;
    std::vector<std::string> held_;
    std::map<std::string, std::pair<Claim, Claim>> stale_;
    bool paused_ = false;
};

Task<std::string> Pair::both(std::string what, Task<std::string> redis, Task<std::string> memory) {
    Task<std::string> first = std::move(redis);
    Task<std::string> second = std::move(memory);
    const std::string got = co_await std::move(first);
    const std::string expected = co_await std::move(second);
    last += what + " → " + got + "\n";
    EXPECT_EQ(got, expected) << "redis and memory differ after\n" << last;
    co_return got;
}

Job Pair::any_job(Trial& on, std::string id, std::uint32_t dice) const {
    Job job = dice % 5 == 0 ? on.delayed(id, seconds(10 * (1 + dice / 5 % 6))) : Trial::job(id);
    job.key = job.event.key = kKeys[dice / 30 % std::size(kKeys)];
    job.dedupe = kDedupes[dice / 180 % std::size(kDedupes)];
    job.priority = static_cast<int>(dice / 1260 % 3);
    job.max_attempts = 1 + static_cast<int>(dice / 3780 % 3);
    return job;
}

Task<void> Pair::put() {
    const std::string id = any_id();
    const auto dice = static_cast<std::uint32_t>(random_());
    const Job job = any_job(redis_, id, dice);
    const Job twin = any_job(memory_, id, dice);
    std::string what = "put " + id + " key=" + job.key + " dedupe=" + job.dedupe;
    const std::string code = co_await both(what, redis_.put(job), memory_.put(twin));
    if (code == "accepted") ledger_.accepted(job);
}

Task<void> Pair::claim() {
    const auto most = static_cast<std::size_t>(1 + pick(4));
    const std::string ids = co_await both("claim", redis_.claim(most), memory_.claim(most));
    std::istringstream words(ids);
    for (std::string id; words >> id;) {
        ledger_.claimed(id);
        held_.push_back(id);
    }
    EXPECT_TRUE(!paused_ || ids.empty());
}

std::string Pair::any_held() {
    return held_[static_cast<std::size_t>(pick(static_cast<int>(held_.size())))];
}

Task<void> Pair::settle(std::string id) {
    const int how = pick(8);
    const bool held = ledger_.running(id);
    std::string answer;
    if (how < 2) {
        answer = co_await both("ack " + id, redis_.ack(id), memory_.ack(id));
        EXPECT_EQ(answer == "acked", held);
        if (answer == "acked") ledger_.ended(id);
    } else if (how < 5) {
        const bool retry = how < 4;
        const seconds delay(10 * pick(4));
        answer = co_await both("fail " + id, redis_.fail(id, retry, delay),
                               memory_.fail(id, retry, delay));
        if (answer == "dead" && held) ledger_.ended(id);
        if (answer == "again" && held) ledger_.failed(id);
    } else if (how == 5) {
        answer = co_await both("release " + id, redis_.release(id), memory_.release(id));
        const std::string state = co_await memory_.state(id);
        if (held && state == "cancelled") ledger_.ended(id);
        if (held && state == "waiting") ledger_.back(id);
    } else if (how == 6) {
        answer = co_await both("receipt " + id, redis_.receipt(id, "s"), memory_.receipt(id, "s"));
        EXPECT_EQ(answer == "ok", held);
    } else {
        answer = co_await both("beat " + id, redis_.beat(id), memory_.beat(id));
        EXPECT_EQ(answer == "held" || answer == "cancel", held);
    }
    if (how < 6) std::erase(held_, id);
    if (how < 6) stale_[id] = std::pair(redis_.held(id), memory_.held(id));
}

/// A token that was good once.
Task<void> Pair::settle_stale() {
    if (stale_.empty()) co_return;
    const auto one = std::next(stale_.begin(), pick(static_cast<int>(stale_.size())));
    const std::string id = one->first;
    const Claim mine = std::exchange(redis_.held(id), one->second.first);
    const Claim other = std::exchange(memory_.held(id), one->second.second);
    const bool fresh = mine.token == one->second.first.token;
    if (!fresh) {
        std::string answer = co_await both("stale ack " + id, redis_.ack(id), memory_.ack(id));
        EXPECT_NE(answer, "acked");
        answer = co_await both("stale beat " + id, redis_.beat(id), memory_.beat(id));
        EXPECT_TRUE(answer == "gone" || answer == "stolen");
        co_await both("stale receipt " + id, redis_.receipt(id, "s"), memory_.receipt(id, "s"));
    }
    redis_.held(id) = mine;
    memory_.held(id) = other;
}

Task<void> Pair::order_by_hand() {
    const std::string id = any_id();
    const int what = pick(12);
    if (what < 4) {
        const std::string before = co_await memory_.state(id);
        const std::string state =
            co_await both("cancel " + id, redis_.cancel_job(id), memory_.cancel_job(id));
        const bool waited = before == "waiting" || before == "delayed";
        if (waited && state == "cancelled") ledger_.ended(id);
    } else if (what < 8) {
        const std::string answer =
            co_await both("replay " + id, redis_.replay(id), memory_.replay(id));
        if (answer == "ok") ledger_.replayed(id);
    } else if (what < 11) {
        co_await both("hasten " + id, redis_.hasten(id), memory_.hasten(id));
    } else {
        paused_ = !paused_;
        co_await redis_.pause(paused_);
        co_await memory_.pause(paused_);
    }
}

Task<void> Pair::time_passes() {
    const seconds time(10 * (1 + pick(4)));
    last += "pass\n";
    co_await redis_.pass(time);
    co_await memory_.pass(time);
    // What the two bury comes in no certain order; their states are compared anyway.
    const std::string redis = co_await redis_.reap();
    const std::string memory = co_await memory_.reap();
    last += "reap → " + redis + "\n";
    EXPECT_EQ(redis.size(), memory.size()) << redis << " and " << memory << " after\n" << last;
    std::vector<std::string> still;
    for (const std::string& id : held_) {
        const std::string state = co_await memory_.state(id);
        if (state == "running") still.push_back(id);
        if (state == "waiting" || state == "delayed") ledger_.back(id);
        if (state == "dead" || state == "cancelled") ledger_.ended(id);
    }
    held_ = still;
}

Task<void> Pair::operate() {
    const int what = pick(20);
    if (what < 6) {
        co_await put();
    } else if (what < 10) {
        co_await claim();
    } else if (what < 15 && !held_.empty()) {
        co_await settle(any_held());
    } else if (what < 16) {
        co_await settle_stale();
    } else if (what < 18) {
        co_await order_by_hand();
    } else if (what < 19) {
        co_await time_passes();
    }
}

Task<void> Pair::compare() {
    EXPECT_AWAIT(redis_.rig().faults(), "");
    const QueueStats redis = co_await redis_.stats();
    const QueueStats memory = co_await memory_.stats();
    EXPECT_EQ(redis.waiting, memory.waiting) << last;
    EXPECT_EQ(redis.delayed, memory.delayed) << last;
    EXPECT_EQ(redis.running, memory.running) << last;
    EXPECT_EQ(redis.done, memory.done) << last;
    EXPECT_EQ(redis.dead, memory.dead) << last;
    EXPECT_EQ(redis.cancelled, memory.cancelled) << last;
    for (int i = 0; i < kIds; ++i) {
        const std::string id = "job" + std::to_string(i);
        const Result<JobRow> one = co_await redis_.queue().show(id, redis_.never);
        const Result<JobRow> other = co_await memory_.queue().show(id, memory_.never);
        EXPECT_EQ(one.has_value(), other.has_value()) << id;
        if (!one || !other) continue;
        EXPECT_EQ(state_name(one->state), state_name(other->state)) << id << " after\n" << last;
        EXPECT_EQ(one->attempt, other->attempt) << id << " after\n" << last;
        EXPECT_EQ(one->receipts.size(), other->receipts.size()) << id;
        EXPECT_EQ(one->story.size(), other->story.size()) << id << " after\n" << last;
        EXPECT_EQ(one->error.is_null(), other->error.is_null()) << id << " after\n" << last;
    }
}

class RandomQueue : public testing::TestWithParam<unsigned> {};

Task<void> run_seed(Loop& loop, QueueRig& redis, QueueRig& memory, unsigned& seed) {
    co_await redis.start(loop, QueueOptions());
    co_await memory.start(loop, QueueOptions());
    Pair pair(redis, memory, seed);
    for (int i = 0; i < kOperations && !testing::Test::HasFailure(); ++i) {
        co_await pair.operate();
        if (i % 40 == 39) co_await pair.compare();
    }
    co_await redis.stop();
    co_await memory.stop();
}

TEST_P(RandomQueue, BothAnswerAlike) {
    static const RedisServer server;
    RedisQueueRig redis(server);
    MemoryQueueRig memory;
    unsigned seed = GetParam();
    on_loop(run_seed, redis, memory, seed);
}
/// MUSHER_SEEDS=1000 looks longer.
unsigned seeds() {
    const char* text = std::getenv("MUSHER_SEEDS");
    return text ? static_cast<unsigned>(std::atoi(text)) : 20;
}
INSTANTIATE_TEST_SUITE_P(Seeds, RandomQueue, testing::Range(1u, 1 + seeds()));

}  // namespace
}  // namespace musher::test
