// The connection to Redis against real servers: pipelining, breaks, timeouts, refusals.
#include "reactor/drivers/redis.h"

#include <gtest/gtest.h>

#include "tests/support/redis_server.h"
#include "tests/support/run_loop.h"

namespace musher {
namespace {

using test::RedisServer;
using Argv = std::vector<std::string>;

Task<Result<std::string>> text_of(Redis& redis, Argv argv) {
    Cancel never;
    MUSHER_CO_TRY(const RedisReply reply, co_await redis.command(std::move(argv), never));
    co_return reply.kind == RedisReply::Kind::integer ? std::to_string(reply.integer) : reply.text;
}

Task<void> says_pong(Loop& loop, RedisServer& server) {
    Redis redis(loop, server.target());
    Argv ping{"PING"};
    const Result<std::string> pong = co_await text_of(redis, ping);
    EXPECT_TRUE(pong.has_value()) << pong.error().text();
    EXPECT_EQ(*pong, "PONG");
    EXPECT_EQ(redis.state(), RedisState::connected);
    co_await redis.close();
}
TEST(Redis, Answers) {
    RedisServer server;
    test::on_loop(says_pong, server);
}

}  // namespace
}  // namespace musher
