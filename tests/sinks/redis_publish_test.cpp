// redis_publish against a real server and a real subscriber.
#include "sinks/redis_publish.h"

#include <gtest/gtest.h>

#include "reactor/drivers/redis_subscription.h"
#include "tests/support/eventually.h"
#include "tests/support/redis_server.h"
#include "tests/support/run_loop.h"
#include "tests/support/step_bench.h"

namespace musher {
namespace {

using test::RedisServer;
using test::StepBench;

Task<void> publish(Loop& loop, RedisServer& server) {
    StepBench bench(loop, redis_publish_spec(), make_redis_publish());
    bench.connections["bus"] = Connection{"redis", Json{{"url", server.url()}}};
    bench.connections["shop"] = Connection{"postgres", Json::object()};
    const Json unheard = co_await bench.receipt("{ connection: bus, channel: c, message: hi }");
    EXPECT_EQ(unheard["target"], "c");
    EXPECT_EQ(unheard["receivers"], 0);
    EXPECT_EQ(unheard["bytes"], 2);

    std::vector<std::string> heard;
    bool listening = false;
    RedisSubscription subscription(loop, server.target());
    RedisSubscription::Listener listener;
    listener.on_message = [&](std::string_view message) { heard.emplace_back(message); };
    listener.on_gap = [&] { listening = true; };
    subscription.subscribe("files", std::move(listener));
    auto ready = [&] { return listening; };
    co_await test::eventually(loop, ready);
    const Json map = co_await bench.receipt(
        "{ connection: bus, channel: files, message: { name: \"${event.name}\" } }");
    EXPECT_EQ(map["receivers"], 1);
    const Json text = co_await bench.receipt(
        "{ connection: bus, channel: files, message: \"got ${event.name}\" }");
    EXPECT_EQ(text["receivers"], 1);
    auto both = [&] { return heard.size() == 2; };
    co_await test::eventually(loop, both);
    EXPECT_EQ(heard[0], "{\"name\":\"a b.txt\"}");
    EXPECT_EQ(heard[1], "got a b.txt");
    co_await subscription.close();

    const Error none = co_await bench.error("{ connection: buss, channel: c, message: m }");
    EXPECT_EQ(none.text(), "there is no redis connection 'buss'");
    const Error kind = co_await bench.error("{ connection: shop, channel: c, message: m }");
    EXPECT_EQ(kind.code, Errc::usage);
    co_await bench.close();
}
TEST(RedisPublish, TellsWhoeverListens) {
    RedisServer server;
    test::on_loop(publish, server);
}

}  // namespace
}  // namespace musher
