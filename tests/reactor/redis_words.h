// What tests of the connection to Redis say and expect.
#pragma once

#include <gtest/gtest.h>

#include "reactor/drivers/redis.h"

namespace musher::test {

using Argv = std::vector<std::string>;

/// Comes back soon, and waits for long: a busy machine is slow to start a server.
inline RedisOptions hasty() {
    RedisOptions options;
    options.backoff_cap = milliseconds(50);
    options.patience = std::chrono::seconds(20);
    return options;
}

inline Task<Result<std::string>> text_of(Redis& redis, Argv argv) {
    Cancel never;
    MUSHER_CO_TRY(const RedisReply reply, co_await redis.command(std::move(argv), never));
    co_return reply.kind == RedisReply::Kind::integer ? std::to_string(reply.integer) : reply.text;
}

/// For a Scope: what becomes of a command that is under way while the test does something else.
inline Task<void> into(Redis& redis, Argv argv, Cancel& cancel, Result<RedisReply>& result) {
    result = co_await redis.command(std::move(argv), cancel);
}

inline Task<void> expect_text(Redis& redis, Argv argv, std::string expected) {
    const Result<std::string> text = co_await text_of(redis, std::move(argv));
    const std::string got = text ? *text : text.error().text();
    EXPECT_EQ(got.substr(0, 200), expected.substr(0, 200));
    EXPECT_EQ(got.size(), expected.size());
}

}  // namespace musher::test
