// What the queue's durability classes ask of the server.
#include "tests/support/redis_trial.h"

namespace musher::test {
namespace {

Task<void> disk(RedisTrial& q) {
    co_await q.redis("CONFIG", "SET", "appendfsync", "everysec");
    const Result<void> everysec = co_await q.redis_rig.queue().open(q.never);
    EXPECT_EQ(everysec.error().code, Errc::usage);
    co_await q.redis("CONFIG", "SET", "appendfsync", "always");
    const Result<void> always = co_await q.redis_rig.queue().open(q.never);
    EXPECT_TRUE(always.has_value());
}
TEST(RedisDurability, ClassDiskWantsAnFsyncBeforeEachAnswer) {
    const RedisServer own({"--appendfsync", "always"});
    RedisQueueOptions more;
    more.durability = Durability::disk;
    run_on(own, disk, more);
}

Task<void> unreplicated(RedisTrial& q) {
    EXPECT_AWAIT(q.put(q.job("a")), "unavailable");
    // It is there all the same, and may be put again once a replica is back.
    EXPECT_AWAIT(q.state("a"), "waiting");
}
Task<void> replicated(RedisTrial& q) {
    EXPECT_AWAIT(q.put(q.job("a")), "accepted");
    EXPECT_AWAIT(q.put(q.job("a")), "known_id");
}
TEST(RedisDurability, ClassReplicatedWantsAReplicasWord) {
    const RedisServer own;
    RedisQueueOptions more;
    more.durability = Durability::replicated;
    run_on(own, unreplicated, more);
    const RedisServer replica({"--replicaof", "127.0.0.1 " + std::to_string(own.port())});
    const std::string has_it = own.command({"WAIT", "1", "30000"});
    EXPECT_EQ(has_it, "1");
    run_on(own, replicated, more);
}

}  // namespace
}  // namespace musher::test
