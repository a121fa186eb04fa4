// Statements on one link: parameters, results, batches, cancelling, a server that stops answering.
#include "reactor/base/text.h"
#include "reactor/base/uuid.h"
#include "reactor/drivers/postgres_error.h"
#include "tests/reactor/postgres_words.h"

namespace musher {
namespace {

using test::dialled;
using test::eventually;
using test::PostgresServer;
using test::said;
using Link = std::unique_ptr<PostgresLink>;

Task<void> carries_parameters(Loop& loop, PostgresServer& server) {
    const PostgresTarget target = server.target();
    const Link link = co_await dialled(loop, target);
    PostgresParams one;
    one.emplace_back("it's \"quoted\"; DROP TABLE x -- \\ \xc3\xa9");
    PostgresStatement echo("SELECT $1::text", one);
    EXPECT_EQ(co_await said(*link, echo), *one[0]);
    echo.params[0].reset();
    EXPECT_EQ(co_await said(*link, echo), "NULL");
    echo.params[0] = "";
    EXPECT_EQ(co_await said(*link, echo), "");

    const std::string bytes("\0\x01\xff'\\", 5);
    PostgresStatement binary("SELECT $1::bytea, length($1::bytea)");
    binary.params.emplace_back(bytea_text(as_bytes(bytes)));
    Cancel never;
    const Result<PostgresResult> got = co_await link->query(binary, never);
    EXPECT_EQ(bytea_bytes(*got->text(0, 0)).value(), bytes);
    EXPECT_EQ(got->text(0, 1), "5");
    constexpr unsigned kByteaOid = 17;
    EXPECT_EQ(got->type(0), kByteaOid);
    EXPECT_EQ(got->name(1), "length");
    EXPECT_EQ(got->column("length"), 1);
    EXPECT_EQ(got->column("Length"), std::nullopt);

    echo.params[0] = std::string(8 << 20, 'x');  // more than the socket takes at once, both ways
    EXPECT_EQ((co_await said(*link, echo)).size(), 8u << 20);
    echo.params[0] = std::string("a\0b", 3);
    EXPECT_EQ(co_await said(*link, echo),
              "parameter $1 holds a NUL byte, which a text of postgres cannot");
}
TEST(PostgresQuery, CarriesParameters) {
    PostgresServer server;
    test::on_loop(carries_parameters, server);
}

Task<void> gives_results(Loop& loop, PostgresServer& server) {
    const PostgresTarget target = server.target();
    const Link link = co_await dialled(loop, target);
    Cancel never;
    PostgresStatement many("SELECT i, repeat('y', 100) FROM generate_series(1, 10000) i");
    const Result<PostgresResult> rows = co_await link->query(many, never);
    EXPECT_EQ(rows->rows(), 10'000);
    EXPECT_EQ(rows->columns(), 2);
    EXPECT_EQ(rows->text(9'999, 0), "10000");
    EXPECT_EQ(rows->affected(), 10'000u);
    const Result<PostgresResult> made = co_await link->script(
        "CREATE TABLE t (id int PRIMARY KEY, n int CHECK (n > 0)); INSERT INTO t VALUES (1, 1), "
        "(2, 2)",
        never);
    EXPECT_EQ(made->affected(), 2u);
    EXPECT_EQ(made->command(), "INSERT 0 2");
    const PostgresStatement twice("INSERT INTO t VALUES (1, 1)");
    const Result<PostgresResult> refused = co_await link->query(twice, never);
    EXPECT_EQ(refused.error().code, Errc::conflict);
    // Not the detail: it quotes the row.
    EXPECT_EQ(refused.error().text(),
              "duplicate key value violates unique constraint \"t_pkey\" (23505, table t, "
              "constraint t_pkey)");
    const PostgresStatement unknown("SELECT idd FROM t");
    const Result<PostgresResult> hinted = co_await link->query(unknown, never);
    EXPECT_EQ(hinted.error().code, Errc::usage);
    EXPECT_NE(hinted.error().hint.find("t.id"), std::string::npos) << hinted.error().hint;
    EXPECT_EQ(co_await said(*link, "SELECT 'still here'"), "still here");

    EXPECT_EQ(co_await said(*link, "BEGIN"), "BEGIN");
    EXPECT_EQ(link->transaction(), PostgresLink::Transaction::open);
    co_await said(*link, twice);
    EXPECT_EQ(link->transaction(), PostgresLink::Transaction::failed);
    const Result<void> lost = co_await link->commit(never);
    EXPECT_EQ(lost.error().code, Errc::conflict);
    EXPECT_EQ(link->transaction(), PostgresLink::Transaction::none);
    const Result<PostgresResult> copy = co_await link->script("COPY t TO STDOUT", never);
    EXPECT_EQ(copy.error().code, Errc::usage);
    EXPECT_TRUE(link->broken());
}
TEST(PostgresQuery, GivesResultsAndRefusals) {
    PostgresServer server;
    test::on_loop(gives_results, server);
}

Task<void> row_by_row(Loop& loop, PostgresServer& server) {
    const PostgresTarget target = server.target();
    const Link link = co_await dialled(loop, target);
    Cancel never;
    int rows = 0;
    const PostgresLink::OnRow count = [&](const PostgresResult& row) -> Result<void> {
        EXPECT_EQ(row.text(0, 0), std::to_string(++rows));
        return {};
    };
    const PostgresStatement many("SELECT i FROM generate_series(1, 10000) i");
    const Result<PostgresResult> last = co_await link->each_row(many, count, never);
    EXPECT_EQ(rows, 10'000);
    EXPECT_EQ(last->rows(), 0);
    EXPECT_EQ(last->affected(), 10'000u);
    rows = 0;
    const PostgresLink::OnRow enough = [&](const PostgresResult&) -> Result<void> {
        if (++rows < 10) return {};
        return fail(Errc::usage, "enough");
    };
    // Would take hours; in the select list, where rows are made as they are sent.
    const PostgresStatement endless("SELECT generate_series(1, 100000000000)");
    const Result<PostgresResult> stopped = co_await link->each_row(endless, enough, never);
    EXPECT_EQ(stopped.error().text(), "enough");
    EXPECT_EQ(rows, 10);
    const PostgresStatement midway("SELECT 1 / (500 - i) FROM generate_series(1, 1000) i");
    const PostgresLink::OnRow any = [](const PostgresResult&) -> Result<void> { return {}; };
    const Result<PostgresResult> failed = co_await link->each_row(midway, any, never);
    EXPECT_EQ(failed.error().code, Errc::usage);
    EXPECT_EQ(co_await said(*link, "SELECT 'whole'"), "whole");
}
TEST(PostgresQuery, GoesThroughRowsOneByOne) {
    PostgresServer server;
    test::on_loop(row_by_row, server);
}

Task<void> sends_batches(Loop& loop, PostgresServer& server) {
    const PostgresTarget target = server.target();
    const Link link = co_await dialled(loop, target);
    co_await said(*link, "CREATE TABLE t (id int PRIMARY KEY)");
    Cancel never;
    std::vector<PostgresStatement> batch;
    for (int i = 0; i < 500; ++i) {
        PostgresParams params;
        params.emplace_back(std::to_string(i));
        params.emplace_back(std::string(1000, 'z'));
        batch.emplace_back("INSERT INTO t SELECT $1::int WHERE $2 <> '' RETURNING id", params);
    }
    const Result<std::vector<PostgresResult>> all = co_await link->batch(batch, never);
    EXPECT_EQ(all->size(), 500u);
    EXPECT_EQ(all->at(499).text(0, 0), "499");

    batch.resize(3, "SELECT 1");
    batch[0] = "INSERT INTO t VALUES (1000)";
    batch[1] = "INSERT INTO t VALUES (7)";
    batch[2] = "INSERT INTO t VALUES (1001)";
    const Result<std::vector<PostgresResult>> failed = co_await link->batch(batch, never);
    EXPECT_EQ(failed.error().code, Errc::conflict);
    EXPECT_EQ(failed.error().context.at(0), "statement 2 of 3");
    EXPECT_EQ(co_await said(*link, "SELECT count(*) FROM t WHERE id >= 1000"), "0");
    const std::vector<PostgresStatement> none;
    const Result<std::vector<PostgresResult>> empty = co_await link->batch(none, never);
    EXPECT_EQ(empty->size(), 0u);
}
TEST(PostgresQuery, SendsBatchesAllOrNothing) {
    PostgresServer server;
    test::on_loop(sends_batches, server);
}

Task<void> cancels(Loop& loop, PostgresServer& server) {
    const PostgresTarget target = server.target();
    const Link link = co_await dialled(loop, target);
    for (int round = 0; round < 20; ++round) {
        Cancel cancel;
        const Deadline limit(loop.timers(), cancel, milliseconds(5));
        const PostgresStatement slow("SELECT pg_sleep(60)");
        const Result<PostgresResult> stopped = co_await link->query(slow, cancel);
        EXPECT_EQ(stopped.error().code, Errc::timeout);
        // The same link, and nothing of the cancel request is left for the next statement.
        EXPECT_EQ(co_await said(*link, "SELECT 'next'"), "next");
    }
    Cancel cancel;
    cancel.request();
    const PostgresStatement never_sent("CREATE TABLE nothing ()");
    const Result<PostgresResult> unsent = co_await link->query(never_sent, cancel);
    EXPECT_EQ(unsent.error().code, Errc::cancelled);
    EXPECT_EQ(co_await said(*link, "SELECT to_regclass('nothing')"), "NULL");
    Cancel never;
    co_await said(*link, "SET statement_timeout = '5ms'");
    const PostgresStatement slow("SELECT pg_sleep(60)");
    const Result<PostgresResult> late = co_await link->query(slow, never);
    EXPECT_EQ(late.error().code, Errc::timeout);
    EXPECT_NE(late.error().text().find("57014"), std::string::npos);
}
TEST(PostgresQuery, CancelsOnTheServer) {
    PostgresServer server;
    test::on_loop(cancels, server);
}

/// A session whose process stands still: the machine at the other end is gone, so to speak.
Task<void> half_open(Loop& loop, PostgresServer& server) {
    const PostgresTarget target = server.target();
    const Link link = co_await dialled(loop, target);
    const Link other = co_await dialled(loop, target);
    const pid_t frozen = link->backend();
    ::kill(frozen, SIGSTOP);
    {
        Cancel cancel;
        const Deadline limit(loop.timers(), cancel, milliseconds(20));
        const Result<PostgresResult> late = co_await link->query("SELECT 1", cancel);
        EXPECT_EQ(late.error().code, Errc::timeout);
    }
    EXPECT_TRUE(link->broken());
    EXPECT_NE(link->why().text().find("did not answer a cancel request within 2s"),
              std::string::npos);
    EXPECT_LT(loop.watchdog().longest_turn(), std::chrono::seconds(1)) << "the loop was held";
    EXPECT_EQ(co_await said(*other, "SELECT 'alive'"), "alive");
    ::kill(frozen, SIGCONT);
}
TEST(PostgresQuery, DropsAServerThatStoppedAnswering) {
    PostgresServer server;
    test::on_loop(half_open, server);
}

Task<void> hung_up(Loop& loop, PostgresServer& server) {
    const PostgresTarget target = server.target();
    const Link idle = co_await dialled(loop, target);
    const Link busy = co_await dialled(loop, target);
    const Link other = co_await dialled(loop, target);
    Cancel never;
    const std::string end = "SELECT pg_terminate_backend(" + std::to_string(idle->backend()) + ")";
    co_await said(*other, end);
    const Result<void> ended = co_await idle->ended(never);
    EXPECT_TRUE(ended.has_value());
    EXPECT_EQ(idle->why().code, Errc::unavailable);
    EXPECT_EQ(co_await said(*idle, "SELECT 1"), idle->why().text());

    const PostgresStatement suicide("SELECT pg_terminate_backend(pg_backend_pid())");
    const Result<PostgresResult> last = co_await busy->query(suicide, never);
    EXPECT_EQ(last.error().code, Errc::unavailable);
    EXPECT_NE(last.error().text().find("57P01"), std::string::npos) << last.error().text();
    EXPECT_TRUE(busy->broken());
}
TEST(PostgresQuery, NoticesAHangUp) {
    PostgresServer server;
    test::on_loop(hung_up, server);
}

Task<void> read_only(Loop& loop, PostgresServer& server) {
    const PostgresTarget target = server.target();
    const Link link = co_await dialled(loop, target);
    co_await said(*link, "SET default_transaction_read_only = on");
    Cancel never;
    const PostgresStatement write("CREATE TABLE t ()");
    const Result<PostgresResult> refused = co_await link->query(write, never);
    EXPECT_EQ(refused.error().code, Errc::unavailable);
    EXPECT_TRUE(link->broken());  // the next one is dialled, and may find the primary
}
TEST(PostgresQuery, LeavesAServerThatBecameAStandby) {
    PostgresServer server;
    test::on_loop(read_only, server);
}

Task<void> keeps_statements(Loop& loop, PostgresServer& server) {
    const PostgresTarget target = server.target();
    const Link link = co_await dialled(loop, target);
    Cancel never;
    co_await said(*link, "CREATE TABLE kept (a int)");
    co_await said(*link, "INSERT INTO kept VALUES (1), (2)");
    PostgresStatement rows("SELECT * FROM kept WHERE a >= $1::int ORDER BY a");
    rows.kept = true;
    rows.params.emplace_back("1");
    for (int i = 0; i < 10; ++i) {
        const Result<PostgresResult> found = co_await link->query(rows, never);
        EXPECT_EQ(found->rows(), 2);
    }
    EXPECT_EQ(co_await said(*link, "SELECT count(*) FROM pg_prepared_statements"), "1");

    // Its columns are others, or it is gone: it comes through all the same.
    co_await said(*link, "ALTER TABLE kept ADD COLUMN b text DEFAULT 'new'");
    const Result<PostgresResult> wider = co_await link->query(rows, never);
    EXPECT_EQ(wider->columns(), 2);
    PostgresStatement other("SELECT $1::text");
    other.kept = true;
    other.params.emplace_back("x");
    EXPECT_EQ(co_await said(*link, other), "x");
    co_await said(*link, "DISCARD ALL");
    EXPECT_EQ(co_await said(*link, other), "x");
    EXPECT_EQ(co_await said(*link, other), "x");

    PostgresStatement wrong("SELECT nonsense FROM kept WHERE a = $1");
    wrong.kept = true;
    wrong.params.emplace_back("1");
    EXPECT_NE((co_await said(*link, wrong)).find("nonsense"), std::string::npos);
    EXPECT_FALSE(link->broken());
}
TEST(PostgresQuery, KeepsStatementsThatComeAgain) {
    PostgresServer server;
    test::on_loop(keeps_statements, server);
}

/// As behind a pooler that gives one connection to several programs: of one text there is one name.
Task<void> shares_a_name(Loop& loop, PostgresServer& server) {
    const PostgresTarget target = server.target();
    const Link link = co_await dialled(loop, target);
    PostgresStatement one("SELECT $1::text");
    one.params.emplace_back("x");
    co_await said(*link, "PREPARE \"musher_" + uuid_of(one.sql) + "\" AS " + one.sql);
    one.kept = true;
    EXPECT_EQ(co_await said(*link, one), "x");
}
TEST(PostgresQuery, TakesAStatementThatIsPreparedBefore) {
    PostgresServer server;
    test::on_loop(shares_a_name, server);
}

}  // namespace
}  // namespace musher
