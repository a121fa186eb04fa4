// Three Sentinels, a master and two replicas: the master is killed under load.
#include <gtest/gtest.h>

#include "reactor/drivers/redis.h"
#include "tests/support/eventually.h"
#include "tests/support/redis_server.h"
#include "tests/support/run_loop.h"

namespace musher {
namespace {

using test::eventually;
using test::RedisServer;
using Argv = std::vector<std::string>;

struct Fleet {
    RedisServer master;
    RedisServer replicas[2] = {replica_of(master), replica_of(master)};
    RedisServer sentinels[3] = {RedisServer::sentinel(master), RedisServer::sentinel(master),
                                RedisServer::sentinel(master)};

    static RedisServer replica_of(const RedisServer& master) {
        return RedisServer({"--replicaof", "127.0.0.1 " + std::to_string(master.port())});
    }
    RedisTarget target() const {
        RedisTarget target;
        // The first one is nobody: a Sentinel that is down must not matter.
        target.sentinels.push_back(HostPort{"127.0.0.1", 1});
        for (const RedisServer& one : sentinels) {
            target.sentinels.push_back(HostPort{"127.0.0.1", one.port()});
        }
        target.master = "mm";
        return target;
    }
    /// A failover needs two Sentinels that know each other, and the replicas.
    bool complete() const {
        for (const RedisServer& one : sentinels) {
            const std::string said = one.command({"SENTINEL", "MASTER", "mm"});
            if (said.find("num-slaves 2 ") == std::string::npos ||
                said.find("num-other-sentinels 2 ") == std::string::npos) {
                return false;
            }
        }
        return master.command({"INFO", "replication"}).find("connected_slaves:2") !=
               std::string::npos;
    }
};

/// Adds one by one; what fails is sent again. Stops with `stop`.
Task<void> load(Redis& redis, Cancel& stop, int& sent) {
    Cancel never;
    Argv argv{"SADD", "s", ""};
    while (!stop.requested()) {
        argv[2] = std::to_string(sent);
        const Result<RedisReply> reply = co_await redis.command(argv, never);
        if (reply) {
            ++sent;
            continue;
        }
        EXPECT_EQ(reply.error().code, Errc::unavailable) << reply.error().text();
        if (reply.error().code != Errc::unavailable) co_return;
    }
}

Task<void> fail_over(Loop& loop, Fleet& fleet) {
    const auto complete = [&] { return fleet.complete(); };
    co_await eventually(loop, complete);
    RedisOptions options;
    options.silence = std::chrono::seconds(2);
    options.backoff_cap = milliseconds(200);
    Redis redis(loop, fleet.target(), options);
    Cancel stop;
    int sent = 0;
    Scope scope("test", loop.ready(), loop.clock());
    scope.spawn("load", load(redis, stop, sent));
    const auto under_load = [&] { return sent > 100; };
    co_await eventually(loop, under_load);
    EXPECT_EQ(redis.status().server, "127.0.0.1:" + std::to_string(fleet.master.port()));
    fleet.master.kill();
    const int before = sent;
    const auto goes_on = [&] { return sent > before + 100; };
    co_await eventually(loop, goes_on);
    stop.request();
    co_await scope.join();
    const std::string now = redis.status().server;
    EXPECT_TRUE(now == "127.0.0.1:" + std::to_string(fleet.replicas[0].port()) ||
                now == "127.0.0.1:" + std::to_string(fleet.replicas[1].port()))
        << now;
    co_await redis.close();
}
TEST(RedisSentinel, GoesOnWithTheNewMaster) {
    Fleet fleet;
    test::on_loop(fail_over, fleet);
}

Task<void> unknown_master(Loop& loop, RedisTarget& target) {
    RedisOptions options;
    options.patience = milliseconds(300);
    Redis redis(loop, target, options);
    Argv ping{"PING"};
    Cancel never;
    const Result<RedisReply> reply = co_await redis.command(ping, never);
    EXPECT_EQ(reply.error().code, Errc::unavailable);
    EXPECT_NE(reply.error().text().find("knows no master named other"), std::string::npos)
        << reply.error().text();
    co_await redis.close();
}
TEST(RedisSentinel, NamesAMasterNobodyKnows) {
    RedisServer master;
    RedisServer sentinel = RedisServer::sentinel(master);
    RedisTarget target;
    target.sentinels.push_back(HostPort{"127.0.0.1", sentinel.port()});
    target.master = "other";
    test::on_loop(unknown_master, target);
}

}  // namespace
}  // namespace musher
