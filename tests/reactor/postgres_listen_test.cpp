// LISTEN: what is heard while idle, in bursts, beside statements, and when nobody takes it.
#include "reactor/base/limits.h"
#include "tests/reactor/postgres_words.h"

namespace musher {
namespace {

using test::dialled;
using test::PostgresServer;
using test::said;
using Link = std::unique_ptr<PostgresLink>;
using Heard = std::vector<PostgresNotification>;

/// Takes until `count` were heard.
Task<Heard> hear(PostgresLink& link, std::size_t count) {
    Cancel never;
    Heard all;
    while (all.size() < count) {
        Result<Heard> some = co_await link.notifications(never);
        EXPECT_TRUE(some.has_value());
        if (!some) break;
        for (PostgresNotification& one : *some) all.push_back(std::move(one));
    }
    co_return all;
}

Task<void> listens(Loop& loop, PostgresServer& server) {
    const PostgresTarget target = server.target();
    const Link link = co_await dialled(loop, target);
    const Link other = co_await dialled(loop, target);
    Cancel never;
    const Result<void> on = co_await link->listen("Odd \"name", never);
    EXPECT_TRUE(on.has_value());
    co_await said(*other, "SELECT pg_notify('Odd \"name', 'hello')");
    Heard heard = co_await hear(*link, 1);
    EXPECT_EQ(heard[0].channel, "Odd \"name");
    EXPECT_EQ(heard[0].payload, "hello");
    EXPECT_EQ(heard[0].pid, other->backend());

    const std::string burst =
        "SELECT pg_notify('Odd \"name', i::text) FROM generate_series(1, 10000) i";
    co_await said(*other, burst);
    heard = co_await hear(*link, 10'000);
    EXPECT_EQ(heard.size(), 10'000u);
    EXPECT_EQ(heard.back().payload, "10000");

    // Its own, and while a statement runs.
    co_await said(*link, "BEGIN");
    co_await said(*link, "SELECT pg_notify('Odd \"name', 'mine')");
    co_await said(*other, "SELECT pg_notify('Odd \"name', 'yours')");
    co_await said(*link, "SELECT pg_sleep(0.05)");
    co_await said(*link, "COMMIT");
    heard = co_await hear(*link, 2);
    EXPECT_EQ(heard.size(), 2u);
    EXPECT_EQ(co_await said(*link, "SELECT count(*) FROM pg_listening_channels()"), "1");
    co_await link->unlisten("Odd \"name", never);
    EXPECT_EQ(co_await said(*link, "SELECT count(*) FROM pg_listening_channels()"), "0");
}
TEST(PostgresListen, HearsIdleInBurstsAndBesideStatements) {
    PostgresServer server;
    test::on_loop(listens, server);
}

Task<void> nobody_takes(Loop& loop, PostgresServer& server) {
    const PostgresTarget target = server.target();
    const Link link = co_await dialled(loop, target);
    const Link other = co_await dialled(loop, target);
    Cancel never;
    co_await link->listen("c", never);
    const std::string large =
        "SELECT pg_notify('c', repeat('x', 7000) || i) FROM generate_series(1, 5000) i";
    std::string blocked;
    const std::string waits =
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event = "
        "'ClientWrite' AND pid = " +
        std::to_string(link->backend());
    // Nobody takes any: after some thousands the server has to wait.
    for (int round = 0; round < 2; ++round) co_await said(*other, large);
    for (int tries = 0; tries < 10'000 && blocked != "1"; ++tries) {
        blocked = co_await said(*other, waits);
    }
    EXPECT_EQ(blocked, "1");
    Result<Heard> first = co_await link->notifications(never);
    EXPECT_LT(first->size(), limits::kPostgresNotifications + 100);
    // A statement gets its answer all the same: what is in front of it is heard meanwhile.
    EXPECT_EQ(co_await said(*link, "SELECT 'through'"), "through");
    const Heard rest = co_await hear(*link, 10'000 - first->size());
    EXPECT_EQ(first->size() + rest.size(), 10'000u);
}
TEST(PostgresListen, LetsTheServerWaitForASlowReader) {
    PostgresServer server;
    test::on_loop(nobody_takes, server);
}

Task<void> wait_for_one(PostgresLink& link, Result<Heard>& into) {
    Cancel never;
    into = co_await link.notifications(never);
}
Task<void> ends(Loop& loop, PostgresServer& server) {
    const PostgresTarget target = server.target();
    const Link link = co_await dialled(loop, target);
    Cancel never;
    co_await link->listen("c", never);
    Result<Heard> heard;
    Scope scope("test", loop.ready(), loop.clock());
    scope.spawn("hear", wait_for_one(*link, heard));
    server.kill();
    co_await scope.join();
    EXPECT_EQ(heard.error().code, Errc::unavailable);
}
TEST(PostgresListen, EndsWithTheServer) {
    PostgresServer server;
    test::on_loop(ends, server);
}

}  // namespace
}  // namespace musher
