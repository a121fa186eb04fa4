// postgres_table against a real PostgreSQL; what every sink must do is in sink_conformance_test.
#include "sinks/postgres_table.h"

#include <gtest/gtest.h>

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
}

}  // namespace
}  // namespace musher
