// sql against a real PostgreSQL: what comes back, what is refused, and what it may cost.
#include "pipelines/steps/sql.h"

#include <gtest/gtest.h>

#include "tests/support/postgres_server.h"
#include "tests/support/run_loop.h"
#include "tests/support/step_bench.h"

namespace musher {
namespace {

using test::PostgresServer;
using test::StepBench;

void connect(StepBench& bench, const PostgresServer& server) {
    bench.connections["shop"] = Connection{"postgres", Json{{"url", server.url()}, {"pool", 2}}};
    bench.connections["bus"] = Connection{"redis", Json{{"url", "redis://127.0.0.1:1"}}};
}

Task<void> values(Loop& loop, PostgresServer& server) {
    StepBench bench(loop, sql_spec(), make_sql());
    connect(bench, server);
    const Json types = co_await bench.receipt(R"yaml({ connection: shop, mode: one, query: "
        SELECT true AS yes, 2::int2 AS small, 9007199254740993 AS large, 1.5::float8 AS real,
               'NaN'::float8 AS nan, 1.10::numeric(9, 2) AS price, NULL AS nothing, 'x' AS letters,
               '{\"a\": [1]}'::jsonb AS map, '2024-02-03'::date AS day" })yaml");
    const Json expected{{"yes", true},        {"small", 2},     {"large", 9007199254740993},
                        {"real", 1.5},        {"nan", "NaN"},   {"price", "1.10"},
                        {"nothing", nullptr}, {"letters", "x"}, {"map", {{"a", {1}}}},
                        {"day", "2024-02-03"}};
    EXPECT_EQ(types["row"], expected);
    EXPECT_EQ(types["affected"], 1);

    const Json params = co_await bench.receipt(R"yaml({ connection: shop, mode: rows, query: "
        SELECT $1 AS name, $2::int + 1 AS size, $3::jsonb->'a' AS a, $4::text IS NULL AS gone,
               $5::bool AS flag",
        params: [ "${event.name}", "${event.size}", { a: "${event.name}" }, null, true ] })yaml");
    const Json rows = Json::array(
        {Json{{"name", "a b.txt"}, {"size", 4}, {"a", "a b.txt"}, {"gone", true}, {"flag", true}}});
    EXPECT_EQ(params["rows"], rows);
    const Json none = co_await bench.receipt("{ connection: shop, query: SELECT 1 WHERE false }");
    EXPECT_EQ(none["rows"], Json::array());
    EXPECT_EQ(none["affected"], 0);
    co_await bench.receipt(
        "{ connection: shop, mode: exec, query: \"CREATE TABLE t (id int PRIMARY KEY)\" }");
    const Json changed = co_await bench.receipt(
        "{ connection: shop, mode: exec, query: \"INSERT INTO t VALUES ($1), ($2)\", "
        "params: [1, 2] }");
    EXPECT_EQ(changed, (Json{{"affected", 2}}));
    co_await bench.close();
}
TEST(Sql, GivesTypedValues) {
    PostgresServer server;
    test::on_loop(values, server);
}

Task<void> expect_error(StepBench& bench, const std::string& options, Errc code,
                        const std::string& text) {
    const Error error = co_await bench.error(options);
    EXPECT_EQ(info(error.code).name, info(code).name) << error.text();
    EXPECT_NE(error.text().find(text), std::string::npos) << error.text();
}
Task<void> faults(Loop& loop, PostgresServer& server) {
    StepBench bench(loop, sql_spec(), make_sql());
    connect(bench, server);
    const std::string shop = "{ connection: shop, query: ";
    co_await expect_error(bench, "{ connection: bus, query: SELECT 1 }", Errc::usage,
                          "there is no postgres connection 'bus'");
    co_await expect_error(bench, shop + "SELECT 1 / 0 }", Errc::usage,
                          "connection shop: division by zero (22012)");
    co_await expect_error(bench, shop + "SELECT * FROM nowhere }", Errc::not_found, "42P01");
    const std::string one = ", mode: one }";
    co_await expect_error(bench, shop + "\"SELECT 1 WHERE false\"" + one, Errc::not_found,
                          "the query gives no row");
    co_await expect_error(bench, shop + "\"SELECT generate_series(1, 3)\"" + one, Errc::usage,
                          "the query gives 3 rows where");
    // Stopped on the server: the rest of it would not fit in memory.
    co_await expect_error(bench,
                          shop +
                              "\"SELECT repeat('x', 1000), "
                              "generate_series(1, 10000000000)\" }",
                          Errc::usage, "more than 1MiB of rows");
    co_await expect_error(bench, shop + "SELECT 1, params: \"${event.size}\" }", Errc::usage,
                          "`params` is no list");
    co_await expect_error(bench, shop + "\"SELECT 1; SELECT 2\" }", Errc::usage, "42601");
    co_await expect_error(bench, shop + "\"SELECT $1::int\", params: [1, 2] }", Errc::usage,
                          "08P01");
    const Json still = co_await bench.receipt(shop + "SELECT 1 AS one, mode: one }");
    EXPECT_EQ(still["row"]["one"], 1);
    co_await bench.close();
}
TEST(Sql, SaysWhatIsWrong) {
    PostgresServer server;
    test::on_loop(faults, server);
}

/// One link, which both statements would get.
Task<void> sessions(Loop& loop, PostgresServer& server) {
    StepBench bench(loop, sql_spec(), make_sql());
    bench.connections["shop"] = Connection{"postgres", Json{{"url", server.url()}, {"pool", 1}}};
    for (const char* change : {"SET search_path TO nowhere", "PREPARE one AS SELECT 1"}) {
        co_await bench.receipt("{ connection: shop, mode: exec, query: " + std::string(change) +
                               " }");
        const Json found = co_await bench.receipt(
            "{ connection: shop, mode: one, query: \"SELECT current_setting('search_path') AS path,"
            " (SELECT count(*) FROM pg_prepared_statements WHERE name = 'one') AS prepared\" }");
        EXPECT_NE(found["row"]["path"], "nowhere") << change;
        EXPECT_EQ(found["row"]["prepared"], 0) << change;
    }
    co_await bench.close();
}
TEST(Sql, LeavesNothingInTheSession) {
    PostgresServer server;
    test::on_loop(sessions, server);
}

TEST(Sql, ChecksItsOptions) {
    const auto faults = [](Json values) { return sql_spec().check(Options(std::move(values))); };
    EXPECT_EQ(faults({{"query", "SELECT 1"}, {"params", Json::array({1})}}).size(), 0u);
    EXPECT_EQ(faults({{"query", "SELECT 1"}, {"params", "${event.list}"}}).size(), 0u);
    EXPECT_EQ(faults({{"query", ""}, {"params", "x"}}).size(), 2u);
}

}  // namespace
}  // namespace musher
