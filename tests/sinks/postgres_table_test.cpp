// postgres_table against a real PostgreSQL; what every sink must do is in sink_conformance_test.
#include "sinks/postgres_table.h"

#include <gtest/gtest.h>

#include <deque>
#include <optional>

#include "sinks/postgres_batch.h"
#include "tests/support/eventually.h"
#include "tests/support/postgres_server.h"
#include "tests/support/run_loop.h"
#include "tests/support/step_bench.h"

namespace musher {
namespace {

using test::PostgresServer;
using test::StepBench;

Task<void> upserts(Loop& loop, PostgresServer& server) {
    StepBench bench(loop, postgres_table_spec(), make_postgres_table());
    bench.connections["shop"] = Connection{"postgres", Json{{"url", server.url()}}};
    bench.env = Json{{"facts", {{"a", {1, 2}}}}};
    const std::string all = R"yaml({ connection: shop, table: app.Files, conflict: [ na"me ],
        row: { 'na"me': event.name, size: event.size, facts: env.facts, gone: "nil",
               big: event.size > 2 } })yaml";
    const Json receipt = co_await bench.receipt(all);
    EXPECT_EQ(receipt["target"], "app.Files");
    const std::string rows = "SELECT * FROM app.\"Files\"";
    EXPECT_EQ(server.exec(rows), "a b.txt\t3\t{\"a\": [1, 2]}\t\tt");
    bench.event.facts.edit()["size"] = 1;
    co_await bench.receipt(all);
    EXPECT_EQ(server.exec(rows), "a b.txt\t1\t{\"a\": [1, 2]}\t\tf");

    const Error missing = co_await bench.error(
        "{ connection: shop, table: nowhere, row: { a: event.name }, conflict: a }");
    EXPECT_EQ(missing.code, Errc::not_found);
    EXPECT_NE(missing.text().find("connection shop: table nowhere: "), std::string::npos);
    const Error key = co_await bench.error(
        "{ connection: shop, table: app.Files, row: { size: event.size }, conflict: size }");
    EXPECT_EQ(key.code, Errc::usage) << key.text();  // no unique index on it
    server.exec(
        "REVOKE ALL ON app.\"Files\" FROM PUBLIC; CREATE ROLE clerk LOGIN; GRANT USAGE ON "
        "SCHEMA app TO clerk");
    std::string url = server.url();
    url.replace(url.find("user=app"), 8, "user=clerk");
    bench.connections["shop"] = Connection{"postgres", Json{{"url", url}}};
    const Error denied = co_await bench.error(all);
    EXPECT_EQ(denied.code, Errc::denied) << denied.text();
    co_await bench.close();
}
TEST(PostgresTable, WritesARowOrChangesIt) {
    PostgresServer server;
    server.exec(
        "CREATE SCHEMA app; CREATE TABLE app.\"Files\" (\"na\"\"me\" text PRIMARY KEY, "
        "size bigint, facts jsonb, gone text, big bool)");
    test::on_loop(upserts, server);
}

Task<void> adds(Loop& loop, PostgresServer& server) {
    StepBench bench(loop, postgres_table_spec(), make_postgres_table());
    bench.connections["shop"] = Connection{"postgres", Json{{"url", server.url()}}};
    const std::string plain = "{ connection: shop, table: t, row: { a: event.size } }";
    co_await bench.receipt(plain);
    const Json again = co_await bench.receipt(plain);
    EXPECT_EQ(again["target"], "t");
    EXPECT_EQ(server.exec("SELECT a FROM t"), "3\n3");
    co_await bench.close();
}
TEST(PostgresTable, WithoutConflictAddsARow) {
    PostgresServer server;
    server.exec("CREATE TABLE t (a int)");
    test::on_loop(adds, server);
}

/// Rows of jobs that all come while the table is locked.
class Rush {
  public:
    Rush(Loop& loop, PostgresServer& server)
        : loop_(loop), server_(server), pool_(loop, target(server)) {}

    struct Job {
        explicit Job(PostgresRow what) : row(std::move(what)) {}
        PostgresRow row;
        Cancel cancel;
        std::optional<Result<void>> answer;
    };
    Job& add(int id, const std::string& text) {
        const std::vector<std::string> conflict(1, "id");
        return jobs_.emplace_back(PostgresRow("t", Json{{"id", id}, {"b", text}}, conflict));
    }
    /// Until the first row's statement waits for the lock, and the others for it.
    Task<void> begin() {
        MUSHER_CHECK(!lock_);
        Cancel never;
        Result<Postgres::Lease> lease = co_await pool_.lease(never);
        MUSHER_CHECK(lease.has_value());
        lock_ = std::move(*lease);
        const Result<PostgresResult> locked =
            co_await (*lock_)->script("BEGIN; LOCK TABLE t IN EXCLUSIVE MODE", never);
        EXPECT_TRUE(locked.has_value());
        for (Job& job : jobs_) scope_.spawn("job", write(job));
        co_await blocked();
    }
    Task<void> blocked() {
        auto waits = [this] {
            return server_.exec("SELECT count(*) FROM pg_locks WHERE NOT granted") == "1";
        };
        co_await test::eventually(loop_, waits);
    }
    Task<void> end() {
        Cancel never;
        const Result<PostgresResult> open = co_await (*lock_)->script("COMMIT", never);
        EXPECT_TRUE(open.has_value());
        co_await leave();
    }
    Task<void> leave() {
        lock_.reset();
        co_await scope_.join();
        co_await pool_.close();
    }
    std::string all() const { return server_.exec("SELECT id, b FROM t ORDER BY id, b"); }
    std::string statements() const { return server_.exec("SELECT count(*) FROM told"); }

  private:
    static PostgresTarget target(const PostgresServer& server) {
        PostgresTarget target = server.target();
        target.pool = 4;
        return target;
    }
    Task<void> write(Job& job) {
        job.answer = co_await batch_.write(loop_, pool_, job.row, job.cancel);
    }

    Loop& loop_;
    PostgresServer& server_;
    Postgres pool_;
    PostgresBatch batch_;
    std::deque<Job> jobs_;
    std::optional<Postgres::Lease> lock_;
    Scope scope_{"rush", loop_.ready(), loop_.clock()};
};
constexpr const char* kRushTable =
    "CREATE TABLE t (id int PRIMARY KEY, b text CHECK (b <> 'bad')); CREATE TABLE told (n int); "
    "CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO told VALUES "
    "(1); RETURN NULL; END $$; CREATE TRIGGER tell AFTER INSERT ON t FOR EACH STATEMENT EXECUTE "
    "FUNCTION tell()";

Task<void> together(Loop& loop, PostgresServer& server) {
    Rush rush(loop, server);
    std::vector<Rush::Job*> jobs;
    for (int id = 0; id < 20; ++id) jobs.push_back(&rush.add(id, "x"));
    Rush::Job& again = rush.add(7, "later");
    Rush::Job& last = rush.add(7, "last");
    co_await rush.begin();
    co_await rush.end();
    for (const Rush::Job* job : jobs) EXPECT_TRUE(job->answer && *job->answer);
    EXPECT_TRUE(*again.answer && *last.answer);
    EXPECT_EQ(rush.statements(), "4") << "the first, the others, and twice of the same key";
    EXPECT_EQ(server.exec("SELECT count(*) FROM t"), "20");
    EXPECT_EQ(server.exec("SELECT b FROM t WHERE id = 7"), "last");
}
TEST(PostgresBatch, SendsTogetherWhatComesMeanwhile) {
    PostgresServer server;
    server.exec(kRushTable);
    test::on_loop(together, server);
}

Task<void> guilty(Loop& loop, PostgresServer& server) {
    Rush rush(loop, server);
    Rush::Job& first = rush.add(1, "a");
    Rush::Job& good = rush.add(2, "b");
    Rush::Job& bad = rush.add(3, "bad");
    Rush::Job& nul = rush.add(4, std::string("\0", 1));
    Rush::Job& twin = rush.add(2, "c");
    Rush::Job& fine = rush.add(5, "e");
    co_await rush.begin();
    co_await rush.end();
    EXPECT_TRUE(*first.answer && *good.answer && *twin.answer && *fine.answer);
    EXPECT_EQ(bad.answer->error().code, Errc::conflict) << bad.answer->error().text();
    EXPECT_EQ(nul.answer->error().code, Errc::usage) << nul.answer->error().text();
    EXPECT_EQ(rush.all(), "1\ta\n2\tc\n5\te");
}
TEST(PostgresBatch, FailsTheGuiltyRowAlone) {
    PostgresServer server;
    server.exec(kRushTable);
    test::on_loop(guilty, server);
}

Task<void> taken_back(Loop& loop, PostgresServer& server) {
    Rush rush(loop, server);
    Rush::Job& leader = rush.add(1, "a");
    Rush::Job& second = rush.add(2, "b");
    Rush::Job& third = rush.add(3, "c");
    Rush::Job& fourth = rush.add(4, "d");
    co_await rush.begin();
    second.cancel.request(Errc::timeout, "too long");  // it waits
    leader.cancel.request();                           // its statement is under way
    auto answered = [&] { return leader.answer && second.answer; };
    co_await test::eventually(loop, answered);
    EXPECT_EQ(leader.answer->error().code, Errc::cancelled);
    EXPECT_EQ(second.answer->error().code, Errc::timeout);
    co_await rush.blocked();  // the others, together
    third.cancel.request();
    auto gone = [&] { return third.answer.has_value(); };
    co_await test::eventually(loop, gone);
    EXPECT_FALSE(fourth.answer.has_value());
    co_await rush.end();
    EXPECT_TRUE(*fourth.answer);
    EXPECT_EQ(rush.all(), "4\td");
}
TEST(PostgresBatch, TakesARowBackWithoutTheOthers) {
    PostgresServer server;
    server.exec(kRushTable);
    test::on_loop(taken_back, server);
}

Task<void> away(Loop& loop, PostgresServer& server) {
    Rush rush(loop, server);
    Rush::Job& first = rush.add(1, "a");
    Rush::Job& second = rush.add(2, "b");
    co_await rush.begin();
    server.kill();
    auto answered = [&] { return first.answer && second.answer; };
    co_await test::eventually(loop, answered);
    EXPECT_EQ(first.answer->error().code, Errc::unavailable);
    EXPECT_EQ(second.answer->error().code, Errc::unavailable);
    co_await rush.leave();
}
TEST(PostgresBatch, TellsAllThatTheServerIsAway) {
    PostgresServer server;
    server.exec(kRushTable);
    test::on_loop(away, server);
}

TEST(PostgresTable, ChecksItsOptions) {
    const auto faults = [](const Json& table, const Json& conflict) {
        return postgres_table_spec()
            .check(Options(Json{{"table", table}, {"row", {{"a", "1"}}}, {"conflict", conflict}}))
            .size();
    };
    EXPECT_EQ(faults("t", Json::array({"a"})), 0u);
    EXPECT_EQ(faults("s.t", Json::array({"a"})), 0u);
    EXPECT_EQ(faults("", Json::array({"a"})), 1u);
    EXPECT_EQ(faults("a.b.c", Json::array({"b"})), 2u);
    EXPECT_EQ(faults("t", Json::array()), 1u);
    EXPECT_EQ(faults("t", nullptr), 0u) << "a plain INSERT";
}

}  // namespace
}  // namespace musher
