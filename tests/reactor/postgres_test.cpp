// The pool of connections: sharing, transactions left behind, a server that dies and comes back.
#include "reactor/drivers/postgres.h"

#include "tests/reactor/postgres_words.h"

namespace musher {
namespace {

using test::eventually;
using test::PostgresServer;

Task<Result<std::string>> ask(Postgres& pool, PostgresStatement statement) {
    Cancel never;
    MUSHER_CO_TRY(const PostgresResult result, co_await pool.query(std::move(statement), never));
    co_return std::string(result.rows() > 0 ? *result.text(0, 0) : result.command());
}
Task<std::string> answer(Postgres& pool, PostgresStatement statement) {
    const Result<std::string> text = co_await ask(pool, std::move(statement));
    if (!text) co_return text.error().text();
    co_return *text;
}

Task<void> use(Postgres& pool, int number, std::vector<int>& order, std::size_t& most) {
    Cancel never;
    Result<Postgres::Lease> lease = co_await pool.lease(never);
    EXPECT_TRUE(lease.has_value());
    if (!lease) co_return;
    order.push_back(number);
    most = std::max(most, pool.status().open);
    const Result<PostgresResult> one = co_await (*lease)->query("SELECT pg_sleep(0.001)", never);
    EXPECT_TRUE(one.has_value());
}
Task<void> share(Loop& loop, PostgresServer& server) {
    PostgresTarget target = server.target();
    target.pool = 2;
    PostgresOptions options;
    options.idle = milliseconds(20);
    Postgres pool(loop, target, options);
    EXPECT_EQ(pool.status().open, 0u);  // opened when needed
    std::vector<int> order;
    std::size_t most = 0;
    Scope scope("test", loop.ready(), loop.clock());
    for (int i = 0; i < 50; ++i) scope.spawn("user", use(pool, i, order, most));
    co_await scope.join();
    EXPECT_EQ(order.size(), 50u);
    // The first two have a connection made, which may take one longer than others their turn.
    std::erase_if(order, [](int number) { return number < 2; });
    EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
    EXPECT_LE(most, 2u);
    EXPECT_LE(pool.status().dialled, 2u);
    EXPECT_EQ(pool.status().leased, 0u);
    auto closed = [&] { return pool.status().open == 0; };
    co_await eventually(loop, closed);
    EXPECT_EQ(co_await answer(pool, "SELECT 'again'"), "again");
    EXPECT_EQ(pool.status_text(), "1 connections, 0 in use");
    co_await pool.close();
    EXPECT_EQ(co_await answer(pool, "SELECT 1"), "the connection to postgres was closed");
}
TEST(Postgres, SharesItsConnectionsInTurn) {
    PostgresServer server;
    test::on_loop(share, server);
}

Task<void> leave_open(Postgres& pool, const char* statement) {
    Cancel never;
    Result<Postgres::Lease> lease = co_await pool.lease(never);
    Postgres::Lease moved = std::move(*lease);
    co_await moved->query("BEGIN", never);
    co_await moved->query("INSERT INTO t VALUES (1)", never);
    co_await moved->query(statement, never);
}
Task<void> transactions(Loop& loop, PostgresServer& server) {
    PostgresTarget target = server.target();
    target.pool = 1;
    Postgres pool(loop, target);
    co_await answer(pool, "CREATE TABLE t (id int)");
    co_await leave_open(pool, "SELECT 1");
    EXPECT_EQ(co_await answer(pool, "SELECT count(*) FROM t"), "0");
    co_await leave_open(pool, "SELECT 1 / 0");
    EXPECT_EQ(co_await answer(pool, "SELECT count(*) FROM t"), "0");
    EXPECT_EQ(pool.status().dialled, 1u);  // mended, not thrown away
    co_await leave_open(pool, "SELECT pg_terminate_backend(pg_backend_pid())");
    EXPECT_EQ(co_await answer(pool, "SELECT count(*) FROM t"), "0");
    EXPECT_EQ(pool.status().dialled, 2u);
    EXPECT_EQ(pool.status().open, 1u);
    co_await leave_open(pool, "COMMIT");
    EXPECT_EQ(co_await answer(pool, "SELECT count(*) FROM t"), "1");
    co_await pool.close();
}
TEST(Postgres, NeverPassesATransactionOn) {
    PostgresServer server;
    test::on_loop(transactions, server);
}

Task<void> hold(Postgres& pool, std::vector<Errc>& ends) {
    const Result<std::string> text = co_await ask(pool, "SELECT pg_sleep(60)");
    ends.push_back(text ? Errc::failed : text.error().code);
}
Task<void> survives(Loop& loop, PostgresServer& server) {
    PostgresTarget target = server.target();
    target.pool = 2;
    PostgresOptions options;
    options.patience = milliseconds(100);
    options.backoff = milliseconds(1);
    options.backoff_cap = milliseconds(20);
    Postgres pool(loop, target, options);
    std::vector<Errc> ends;
    Scope scope("test", loop.ready(), loop.clock());
    for (int i = 0; i < 6; ++i) scope.spawn("user", hold(pool, ends));
    auto both = [&] { return pool.status().leased == 2; };
    co_await eventually(loop, both);
    server.kill();
    co_await scope.join();
    EXPECT_EQ(ends.size(), 6u);
    for (const Errc end : ends) EXPECT_EQ(end, Errc::unavailable);
    EXPECT_EQ(pool.status().open, 0u);
    EXPECT_NE(pool.status_text().find("Connection refused"), std::string::npos)
        << pool.status_text();
    server.start();
    std::string back;
    while (back != "1") back = co_await answer(pool, "SELECT 1");
    EXPECT_EQ(pool.status_text(), "1 connections, 0 in use");
    // Restarted between two statements: the idle link is found to be gone.
    server.stop();
    server.start();
    auto restarted = co_await ask(pool, "SELECT 2");
    if (!restarted) restarted = co_await ask(pool, "SELECT 2");
    EXPECT_EQ(restarted.value(), "2");
    co_await pool.close();
}
TEST(Postgres, SurvivesItsServer) {
    PostgresServer server;
    test::on_loop(survives, server);
}

Task<void> refused(Loop& loop, PostgresServer& server) {
    const std::string url =
        "postgresql://app:hush@127.0.0.1:" + std::to_string(server.port()) + "/postgres";
    PostgresOptions options;
    options.backoff = std::chrono::hours(1);
    options.backoff_cap = std::chrono::hours(1);
    Postgres pool(loop, PostgresTarget::from_url(url).value(), options);
    for (int i = 0; i < 5; ++i) {
        const Result<std::string> text = co_await ask(pool, "SELECT 1");
        EXPECT_EQ(text.error().code, Errc::denied);
    }
    EXPECT_EQ(pool.status_text().find("hush"), std::string::npos);
    // A wrong password is not tried again for every job: that would lock the account.
    std::size_t tries = 0;
    const std::string log = server.log();
    for (std::size_t at = log.find("password authentication failed"); at != std::string::npos;
         at = log.find("password authentication failed", at + 1)) {
        ++tries;
    }
    EXPECT_EQ(tries, 1u);
    co_await pool.close();
}
TEST(Postgres, DoesNotHammerAServerThatRefuses) {
    PostgresServer server;
    test::on_loop(refused, server);
}

Task<void> wait_for_lease(Postgres& pool, Error& end) {
    Cancel never;
    const Result<Postgres::Lease> lease = co_await pool.lease(never);
    if (!lease) end = lease.error();
}
Task<void> hold_until(Postgres& pool, Doorbell& leave) {
    Cancel never;
    const Result<Postgres::Lease> lease = co_await pool.lease(never);
    co_await leave.wait(never);
}
Task<void> let_go(Loop& loop, Postgres& pool, Doorbell& leave) {
    auto closing = [&] { return pool.status().leased == 1; };
    co_await eventually(loop, closing);
    leave.ring();
}
Task<void> closes(Loop& loop, PostgresServer& server) {
    PostgresTarget target = server.target();
    target.pool = 1;
    Postgres pool(loop, target);
    Doorbell leave(loop.ready());
    Error end;
    Scope scope("test", loop.ready(), loop.clock());
    scope.spawn("holder", hold_until(pool, leave));
    auto held = [&] { return pool.status().leased == 1; };
    co_await eventually(loop, held);
    scope.spawn("waiter", wait_for_lease(pool, end));
    scope.spawn("leaver", let_go(loop, pool, leave));
    co_await pool.close();
    EXPECT_EQ(end.code, Errc::unavailable);
    EXPECT_EQ(pool.status().open, 0u);
    co_await scope.join();
}
TEST(Postgres, ClosesWhenItsLeasesAreBack) {
    PostgresServer server;
    test::on_loop(closes, server);
}

}  // namespace
}  // namespace musher
