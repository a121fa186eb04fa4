// The connection to Redis while the server is full, silent, loading or a replica.
#include <gtest/gtest.h>

#include "tests/reactor/redis_words.h"
#include "tests/support/eventually.h"
#include "tests/support/redis_server.h"
#include "tests/support/run_loop.h"

namespace musher {
namespace {

using test::Argv;
using test::eventually;
using test::expect_text;
using test::hasty;
using test::into;
using test::RedisServer;
using test::text_of;

Task<void> no_memory(Loop& loop, RedisServer& server) {
    Redis redis(loop, server.target());
    Argv set{"SET", "k", "v"};
    const Result<std::string> failed = co_await text_of(redis, set);
    EXPECT_EQ(failed.error().code, Errc::full);
    EXPECT_NE(failed.error().hint.find("maxmemory"), std::string::npos);
    EXPECT_EQ(redis.state(), RedisState::connected);
    co_await redis.close();
}
TEST(Redis, ReportsAFullServer) {
    RedisServer server({"--maxmemory", "1", "--maxmemory-policy", "noeviction"});
    test::on_loop(no_memory, server);
}

Task<void> watch_silence(Loop& loop, RedisServer& server, bool& by_signal) {
    RedisOptions options = hasty();
    options.silence = milliseconds(500);
    options.dial = milliseconds(500);
    Redis redis(loop, server.target(), options);
    Argv incr{"INCR", "n"};
    co_await expect_text(redis, incr, "1");
    if (by_signal) {
        server.signal(SIGSTOP);
    } else {
        server.command({"CLIENT", "PAUSE", "1000", "ALL"});
    }
    const Result<std::string> failed = co_await text_of(redis, incr);
    EXPECT_EQ(failed.error().code, Errc::unavailable);
    EXPECT_NE(failed.error().message.find("did not answer INCR within 500ms"), std::string::npos)
        << failed.error().text();
    if (by_signal) {
        // The kernel accepts connections for the stopped server: the dial has its own limit.
        const auto stuck = [&] {
            return redis.status().last_error.message.find("took longer than") != std::string::npos;
        };
        co_await eventually(loop, stuck);
        server.signal(SIGCONT);
    }
    Argv ping{"PING"};
    co_await expect_text(redis, ping, "PONG");
    EXPECT_GE(redis.status().connections, 2u);
    co_await redis.close();
}
TEST(Redis, DropsASilentConnection) {
    RedisServer server;
    bool by_signal = true;
    test::on_loop(watch_silence, server, by_signal);
}
TEST(Redis, DropsAPausedConnection) {
    RedisServer server;
    bool by_signal = false;
    test::on_loop(watch_silence, server, by_signal);
}

Task<void> loading(Loop& loop, RedisServer& server) {
    server.command({"DEBUG", "POPULATE", "5000"});
    server.command({"CONFIG", "SET", "key-load-delay", "100",
                    "loading-process-events-interval-bytes", "1024"});
    Redis redis(loop, server.target());
    Redis reloader(loop, server.target());
    Argv ping{"PING"};
    co_await expect_text(redis, ping, "PONG");
    Argv reload{"DEBUG", "RELOAD"};
    Result<RedisReply> reloaded = fail(Errc::internal, "");
    Cancel never;
    Scope scope("test", loop.ready(), loop.clock());
    scope.spawn("reload", into(reloader, reload, never, reloaded));
    Result<std::string> said = std::string();
    while (said && !reloaded) said = co_await text_of(redis, ping);
    EXPECT_EQ(said.error().code, Errc::unavailable);
    EXPECT_NE(said.error().message.find("LOADING"), std::string::npos) << said.error().text();
    EXPECT_EQ(redis.status().connections, 1u);
    Redis newcomer(loop, server.target());  // its commands wait for the data
    co_await expect_text(newcomer, ping, "PONG");
    co_await scope.join();
    EXPECT_TRUE(reloaded.has_value());
    co_await newcomer.close();
    co_await reloader.close();
    co_await redis.close();
}
TEST(Redis, WaitsForAServerThatLoads) {
    RedisServer server;
    test::on_loop(loading, server);
}

Task<void> demoted(Loop& loop, RedisServer& server) {
    Redis redis(loop, server.target(), hasty());
    Argv set{"SET", "k", "v"};
    co_await expect_text(redis, set, "OK");
    server.command({"REPLICAOF", "127.0.0.1", "1"});
    const Result<std::string> failed = co_await text_of(redis, set);
    EXPECT_EQ(failed.error().code, Errc::unavailable);
    EXPECT_NE(failed.error().message.find("READONLY"), std::string::npos);
    server.command({"REPLICAOF", "NO", "ONE"});
    co_await expect_text(redis, set, "OK");
    EXPECT_GE(redis.status().connections, 2u);
    co_await redis.close();
}
TEST(Redis, LeavesAServerThatBecameAReplica) {
    RedisServer server;
    test::on_loop(demoted, server);
}

}  // namespace
}  // namespace musher
