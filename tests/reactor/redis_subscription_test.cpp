// The SUBSCRIBE connection: messages, breaks, a peer that hangs, a channel without right.
#include "reactor/drivers/redis_subscription.h"

#include <gtest/gtest.h>

#include "tests/support/eventually.h"
#include "tests/support/redis_server.h"
#include "tests/support/run_loop.h"

namespace musher {
namespace {

using test::eventually;
using test::RedisServer;

RedisOptions hasty() {
    RedisOptions options;
    options.silence = milliseconds(600);
    options.dial = milliseconds(600);
    options.backoff_cap = milliseconds(50);
    return options;
}

struct Heard {
    std::vector<std::string> messages;
    int gaps = 0;
    RedisSubscription::Listener listener() {
        return {[this](std::string_view text) { messages.emplace_back(text); }, [this] { ++gaps; }};
    }
};

Task<void> gaps_are(Loop& loop, const Heard& heard, int count) {
    const auto reached = [&heard, count] { return heard.gaps == count; };
    co_await eventually(loop, reached);
}
Task<void> messages_are(Loop& loop, const Heard& heard, std::size_t count) {
    const auto reached = [&heard, count] { return heard.messages.size() == count; };
    co_await eventually(loop, reached);
}

Task<void> follow(Loop& loop, RedisServer& server) {
    RedisSubscription subscription(loop, server.target(), hasty());
    Heard wake;
    Heard other;
    subscription.subscribe("wake", wake.listener());
    co_await gaps_are(loop, wake, 1);
    subscription.subscribe("other", other.listener());
    co_await gaps_are(loop, other, 1);
    EXPECT_EQ(server.command({"PUBLISH", "wake", "one"}), "1");
    EXPECT_EQ(server.command({"PUBLISH", "other", "two"}), "1");
    co_await messages_are(loop, wake, 1);
    co_await messages_are(loop, other, 1);
    EXPECT_EQ(other.messages[0], "two");

    server.command({"CLIENT", "KILL", "TYPE", "pubsub"});
    co_await gaps_are(loop, wake, 2);
    co_await gaps_are(loop, other, 2);
    server.kill();
    server.start();
    co_await gaps_are(loop, wake, 3);
    co_await gaps_are(loop, other, 3);
    EXPECT_EQ(server.command({"PUBLISH", "wake", "again"}), "1");
    co_await messages_are(loop, wake, 2);

    subscription.unsubscribe("wake");
    const auto gone = [&] { return server.command({"PUBLISH", "wake", "x"}) == "0"; };
    co_await eventually(loop, gone);
    EXPECT_EQ(wake.messages.size(), 2u);
    EXPECT_EQ(subscription.status().connections, 3u);
    co_await subscription.close();
}
TEST(RedisSubscription, SubscribesAgainAfterEveryBreakAndSaysSo) {
    RedisServer server;
    test::on_loop(follow, server);
}

Task<void> half_open(Loop& loop, RedisServer& server) {
    RedisSubscription subscription(loop, server.target(), hasty());
    Heard wake;
    subscription.subscribe("wake", wake.listener());
    co_await gaps_are(loop, wake, 1);
    server.signal(SIGSTOP);
    const auto noticed = [&] { return subscription.status().state != RedisState::connected; };
    co_await eventually(loop, noticed);
    server.signal(SIGCONT);
    co_await gaps_are(loop, wake, 2);
    co_await subscription.close();
}
TEST(RedisSubscription, NoticesAPeerThatHangs) {
    RedisServer server;
    test::on_loop(half_open, server);
}

Task<void> stay_idle(Loop& loop, RedisServer& server) {
    RedisOptions options = hasty();
    RedisSubscription subscription(loop, server.target(), options);
    Heard wake;
    subscription.subscribe("wake", wake.listener());
    // A PING every third of `silence`: ten of them are three silences.
    const auto asked = [&] {
        return server.command({"INFO", "commandstats"}).find("cmdstat_ping:calls=10,") !=
               std::string::npos;
    };
    co_await eventually(loop, asked);
    EXPECT_EQ(subscription.status().connections, 1u);
    EXPECT_EQ(wake.gaps, 1);
    co_await subscription.close();
}
TEST(RedisSubscription, KeepsAQuietConnection) {
    RedisServer server;
    test::on_loop(stay_idle, server);
}

Task<void> no_right(Loop& loop, RedisServer& server) {
    server.command({"ACL", "SETUSER", "bob", "on", ">pw", "+@all", "resetchannels", "&allowed"});
    RedisTarget target = server.target();
    target.user = "bob";
    target.password = "pw";
    RedisSubscription subscription(loop, target, hasty());
    Heard wake;
    subscription.subscribe("wake", wake.listener());
    const auto told = [&] {
        return subscription.status().last_error.message.find("NOPERM") != std::string::npos;
    };
    co_await eventually(loop, told);
    EXPECT_EQ(subscription.status().last_error.code, Errc::denied);
    EXPECT_EQ(wake.gaps, 0);
    co_await subscription.close();
}
TEST(RedisSubscription, ReportsAChannelWithoutRight) {
    RedisServer server;
    test::on_loop(no_right, server);
}

}  // namespace
}  // namespace musher
