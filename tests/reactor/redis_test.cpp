// The connection to Redis against real servers: pipelining, breaks, timeouts, refusals.
#include "reactor/drivers/redis.h"

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

Task<void> says_pong(Loop& loop, RedisTarget& target) {
    Redis redis(loop, target);
    Argv ping{"PING"};
    co_await expect_text(redis, ping, "PONG");
    EXPECT_EQ(redis.state(), RedisState::connected);
    EXPECT_EQ(redis.status().connections, 1u);
    Argv name{"CLIENT", "GETNAME"};
    co_await expect_text(redis, name, "musher");
    co_await redis.close();
    const Result<std::string> closed = co_await text_of(redis, ping);
    EXPECT_EQ(closed.error().code, Errc::unavailable);
}
TEST(Redis, AnswersOverUnixAndTcp) {
    RedisServer server;
    RedisTarget target = server.target();
    test::on_loop(says_pong, target);
    target = server.tcp_target();
    test::on_loop(says_pong, target);
    target.server.host = "localhost";  // has to be resolved; its IPv6 address may refuse
    test::on_loop(says_pong, target);
}

Task<void> count_up(Redis& redis, std::vector<std::int64_t>& seen) {
    Cancel never;
    Argv argv{"INCR", "n"};
    const Result<RedisReply> reply = co_await redis.command(argv, never);
    EXPECT_TRUE(reply.has_value());
    seen.push_back(reply->integer);
}
Task<void> pipeline(Loop& loop, RedisServer& server) {
    Redis redis(loop, server.target());
    Argv ping{"PING"};
    co_await expect_text(redis, ping, "PONG");
    server.command({"CONFIG", "RESETSTAT"});
    std::vector<std::int64_t> seen;
    Scope scope("test", loop.ready(), loop.clock());
    for (int i = 0; i < 1000; ++i) scope.spawn("incr", count_up(redis, seen));
    co_await scope.join();
    EXPECT_EQ(seen.size(), 1000u);
    EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
    // 25 kB in one write are two reads of 16 kB for the server; a thousand would be a thousand.
    const std::string stats = server.command({"INFO", "stats"});
    const std::string name = "total_reads_processed:";
    EXPECT_LT(std::stoi(stats.substr(stats.find(name) + name.size())), 20);
    co_await redis.close();
}
TEST(Redis, SendsATurnsCommandsInOneWrite) {
    RedisServer server;
    test::on_loop(pipeline, server);
}

Task<void> large_values(Loop& loop, RedisServer& server) {
    Redis redis(loop, server.target());
    const std::string large(8 << 20, 'x');  // more than the socket takes at once, both ways
    Argv set{"SET", "k", large};
    co_await expect_text(redis, set, "OK");
    Argv get{"GET", "k"};
    co_await expect_text(redis, get, large);
    co_await redis.close();
}
TEST(Redis, CarriesLargeValues) {
    RedisServer server;
    test::on_loop(large_values, server);
}

Task<void> refused(Loop& loop, RedisTarget& target, std::string& why) {
    RedisOptions options;
    options.patience = milliseconds(20);
    Redis redis(loop, target, options);
    const auto known = [&] {
        return redis.status().last_error.message.find(why) != std::string::npos;
    };
    co_await eventually(loop, known);
    Argv ping{"PING"};
    const Result<std::string> failed = co_await text_of(redis, ping);
    EXPECT_EQ(failed.error().code, Errc::unavailable);
    EXPECT_EQ(failed.error().text(), "no connection to redis at " + target.name() +
                                         " for PING within 20ms (" +
                                         redis.status().last_error.text() + ")");
    co_await redis.close();
}
TEST(Redis, ReportsARefusedConnection) {
    RedisServer server;
    server.kill();
    RedisTarget target = server.tcp_target();
    std::string why = "connecting to redis at 127.0.0.1:" + std::to_string(server.port()) +
                      ": Connection refused";
    test::on_loop(refused, target, why);
    target = server.target();
    test::on_loop(refused, target, why = "redis.sock: Connection refused");
    target.unix_path = "/no/such/socket";
    test::on_loop(refused, target, why = "/no/such/socket: No such file or directory");
    target = RedisTarget();
    target.server.host = "no-such-host.invalid";
    test::on_loop(refused, target, why = "resolving no-such-host.invalid");
}

Task<void> too_long(Loop& loop) {
    RedisTarget target;
    target.unix_path = "/" + std::string(107, 'x');
    Redis redis(loop, target);
    Argv ping{"PING"};
    const Result<std::string> failed = co_await text_of(redis, ping);
    EXPECT_EQ(failed.error().code, Errc::usage);
    EXPECT_NE(failed.error().message.find("has 108 bytes"), std::string::npos);
    co_await redis.close();
}
TEST(Redis, NamesTheLengthOfASocketPath) { test::on_loop(too_long); }

Task<void> survive_kill(Loop& loop, RedisServer& server) {
    Redis redis(loop, server.target(), hasty());
    Argv set{"SET", "k", "kept"};
    co_await expect_text(redis, set, "OK");
    server.kill();
    Argv get{"GET", "k"};
    Result<RedisReply> later = fail(Errc::internal, "");
    Scope scope("test", loop.ready(), loop.clock());
    Cancel never;
    const auto lost = [&] { return redis.state() != RedisState::connected; };
    co_await eventually(loop, lost);
    scope.spawn("get", into(redis, get, never, later));
    server.start();
    co_await scope.join();
    EXPECT_TRUE(later.has_value()) << later.error().text();
    EXPECT_EQ(later->text, "kept");
    EXPECT_EQ(redis.status().connections, 2u);
    co_await redis.close();
}
TEST(Redis, WaitsForAKilledServerAndFindsItsData) {
    RedisServer server;
    test::on_loop(survive_kill, server);
}

Task<void> cut_in_flight(Loop& loop, RedisServer& server) {
    Redis redis(loop, server.target(), hasty());
    Argv wait{"BLPOP", "nothing", "0"};
    Result<RedisReply> cut = fail(Errc::internal, "");
    Result<RedisReply> closed = fail(Errc::internal, "");
    Cancel never;
    Scope scope("test", loop.ready(), loop.clock());
    const auto blocked = [&] {
        return server.command({"INFO", "clients"}).find("blocked_clients:1") != std::string::npos;
    };
    scope.spawn("cut", into(redis, wait, never, cut));
    co_await eventually(loop, blocked);
    EXPECT_EQ(server.command({"CLIENT", "KILL", "TYPE", "normal"}), "1");
    co_await scope.join();
    EXPECT_EQ(cut.error().code, Errc::unavailable);
    scope.spawn("closed", into(redis, wait, never, closed));
    co_await eventually(loop, blocked);
    co_await redis.close();
    co_await scope.join();
    EXPECT_EQ(closed.error().code, Errc::unavailable);
}
TEST(Redis, FailsWhatIsInFlightWhenTheConnectionBreaks) {
    RedisServer server;
    test::on_loop(cut_in_flight, server);
}

Task<void> cancel_both(Loop& loop, RedisServer& server) {
    Redis redis(loop, server.target(), hasty());
    Argv wait{"BLPOP", "list", "0"};
    Result<RedisReply> given_up = fail(Errc::internal, "");
    Cancel cancel;
    Scope scope("test", loop.ready(), loop.clock());
    scope.spawn("wait", into(redis, wait, cancel, given_up));
    const auto blocked = [&] {
        return server.command({"INFO", "clients"}).find("blocked_clients:1") != std::string::npos;
    };
    co_await eventually(loop, blocked);
    cancel.request(Errc::cancelled, "enough");
    co_await scope.join();
    EXPECT_EQ(given_up.error().message, "enough");
    server.command({"RPUSH", "list", "late"});
    Argv incr{"INCR", "n"};  // its answer comes after the one nobody waits for
    co_await expect_text(redis, incr, "1");

    server.kill();
    const auto lost = [&] { return redis.state() != RedisState::connected; };
    co_await eventually(loop, lost);
    Cancel again;
    scope.spawn("incr", into(redis, incr, again, given_up));
    again.request(Errc::cancelled, "not sent");
    co_await scope.join();
    EXPECT_EQ(given_up.error().message, "not sent");
    server.start();
    co_await expect_text(redis, incr, "2");
    co_await redis.close();
}
TEST(Redis, CancelEndsTheWaitAndKeepsTheOrder) {
    RedisServer server;
    test::on_loop(cancel_both, server);
}

Task<void> evaluate(Loop& loop, RedisServer& server) {
    Redis redis(loop, server.target());
    const RedisScript script =
        RedisScript::of("add", "return redis.call('INCRBY', KEYS[1], ARGV[1])");
    const RedisScript broken = RedisScript::of("broken", "return redis.call('INCR', KEYS[1], 1)");
    const Argv keys{"n"};
    const Argv args{"5"};
    Cancel never;
    for (const std::int64_t expected : {5, 10, 15}) {
        const Result<RedisReply> reply = co_await redis.eval(script, keys, args, never);
        EXPECT_TRUE(reply.has_value()) << reply.error().text();
        EXPECT_EQ(reply->integer, expected);
        if (expected == 10) server.command({"SCRIPT", "FLUSH"});
    }
    const Result<RedisReply> failed = co_await redis.eval(broken, keys, args, never);
    EXPECT_EQ(failed.error().code, Errc::failed);
    EXPECT_TRUE(failed.error().text().starts_with("script broken: redis: ERR"));
    co_await redis.close();
}
TEST(Redis, SendsAScriptTheServerDoesNotKnow) {
    RedisServer server;
    test::on_loop(evaluate, server);
}

Task<void> in_database(Loop& loop, RedisServer& server) {
    RedisTarget target = server.target();
    target.db = 3;
    Redis redis(loop, target);
    Argv set{"SET", "k", "v"};
    co_await expect_text(redis, set, "OK");
    EXPECT_NE(server.command({"INFO", "keyspace"}).find("db3:keys=1"), std::string::npos);
    co_await redis.close();
}
TEST(Redis, SelectsItsDatabase) {
    RedisServer server;
    test::on_loop(in_database, server);
}

Task<void> sign_in(Loop& loop, RedisTarget& target, Errc& expected) {
    Redis redis(loop, target);
    Argv ping{"PING"};
    const Result<std::string> pong = co_await text_of(redis, ping);
    if (expected == Errc::internal) {
        EXPECT_TRUE(pong.has_value()) << pong.error().text();
    } else {
        EXPECT_EQ(pong.error().code, expected) << pong.error().text();
        EXPECT_EQ(pong.error().text().find("secret"), std::string::npos);
    }
    co_await redis.close();
}
TEST(Redis, SignsInByPasswordAndUser) {
    RedisServer server;
    EXPECT_EQ(server.command({"ACL", "SETUSER", "alice", "on", ">secret2", "~*", "+@all"}), "OK");
    EXPECT_EQ(server.command({"CONFIG", "SET", "requirepass", "secret"}), "OK");
    Errc fine = Errc::internal;  // none
    Errc denied = Errc::denied;
    RedisTarget target = server.target();
    test::on_loop(sign_in, target, denied);
    target.password = "secret";
    test::on_loop(sign_in, target, fine);
    target.password = "secret-not";
    test::on_loop(sign_in, target, denied);
    target.user = "alice";
    test::on_loop(sign_in, target, denied);
    target.password = "secret2";
    test::on_loop(sign_in, target, fine);
}

}  // namespace
}  // namespace musher
