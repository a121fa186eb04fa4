// The options and the statements of postgres_queue, as text.
#include "sources/postgres_queue_sql.h"

#include <gtest/gtest.h>

#include "pipelines/config/yaml.h"
#include "sources/postgres_queue.h"

namespace musher::postgres_queue {
namespace {

Options decoded(const std::string& yaml) {
    std::vector<Problem> problems;
    const auto value = parse_yaml(yaml, "queue.yml", problems);
    Options options = decode(postgres_queue_spec().options, *value, "postgres_queue", problems);
    EXPECT_TRUE(problems.empty()) << problems.front().message;
    return options;
}
std::vector<std::string> faults(const std::string& yaml) {
    std::vector<std::string> texts;
    for (const Error& fault : check_rules(decoded(yaml))) texts.push_back(fault.message);
    return texts;
}

TableSql statements(const std::string& yaml, ColumnTypes types) {
    Holder holder;
    holder.id = "me";
    holder.node = "node";
    holder.pipeline = "pipe";
    return TableSql(read_rules(decoded(yaml)), holder, std::move(types));
}

TEST(PostgresQueueRules, WithoutColumnsHasAll) {
    const Rules rules = read_rules(decoded("{ connection: c, table: a.b }"));
    for (const Role& role : roles()) EXPECT_EQ(rules.columns.*role.column, role.fallback);
    EXPECT_FALSE(rules.own_names);
    EXPECT_EQ(rules.statuses.waiting, "waiting");
    EXPECT_EQ(rules.batch, 64u);
    EXPECT_EQ(rules.lease, std::chrono::seconds(30));
}

TEST(PostgresQueueRules, WithColumnsHasThoseAndTheTwoItNeeds) {
    const Rules rules =
        read_rules(decoded("{ connection: c, table: b, columns: { status: state, error: why } }"));
    EXPECT_EQ(rules.columns.id, "id");
    EXPECT_EQ(rules.columns.status, "state");
    EXPECT_EQ(rules.columns.error, "why");
    EXPECT_EQ(rules.columns.token, "");
    EXPECT_EQ(rules.columns.reactor, "");
    EXPECT_TRUE(rules.own_names);
}

TEST(PostgresQueueRules, FindsFaults) {
    using Texts = std::vector<std::string>;
    EXPECT_EQ(faults("{ connection: c, table: a.b.c }"), Texts{"`table` names no table"});
    EXPECT_EQ(faults("{ connection: c, table: a, reactors: a. }"),
              Texts{"`reactors` names no table"});
    EXPECT_EQ(faults("{ connection: c, table: a, columns: { error: status } }"),
              Texts{"`columns.error` names the column status, as status does"});
    EXPECT_EQ(faults("{ connection: c, table: a, columns: { token: '' } }"),
              Texts{"`columns.token` is empty"});
    EXPECT_EQ(faults("{ connection: c, table: a, statuses: { done: failed } }"),
              Texts{"`statuses.failed` is the same as done"});
    EXPECT_EQ(faults("{ connection: c, table: a, channel: " + std::string(64, 'x') + " }"),
              Texts{"`channel` is longer than 63 bytes"});
}

TEST(PostgresQueueSql, ClaimsWithNamesAndStatusesQuotedAndClaimantsBound) {
    const TableSql sql = statements(
        "{ connection: c, table: 'shop.my\"jobs', where: 'a > 1 -- so', order: 'a DESC', "
        "columns: { id: 'K\"', status: state, token: tok, tries: n }, "
        "statuses: { waiting: \"it's\" } }",
        {{"K\"", "bigint"}, {"state", "job_state"}, {"tok", "uuid"}, {"n", "integer"}});
    const PostgresStatement claim = sql.claim(7, "T");
    EXPECT_EQ(
        claim.sql,
        "WITH picked AS MATERIALIZED (SELECT \"K\"\"\" AS musher_key FROM "
        "\"shop\".\"my\"\"jobs\" WHERE \"state\" = (E'it''s')::job_state AND (\na > 1 -- so\n) "
        "ORDER BY a DESC\nLIMIT 7 FOR UPDATE SKIP LOCKED), placed AS (SELECT "
        "musher_key, row_number() OVER () AS musher_place FROM picked), claimed AS (UPDATE "
        "\"shop\".\"my\"\"jobs\" AS t SET \"state\" = (E'running')::job_state, \"tok\" = "
        "($1)::uuid, \"n\" = COALESCE(t.\"n\", 0) + 1 FROM placed WHERE t.\"K\"\"\" = "
        "musher_key RETURNING musher_place, t.*) SELECT * FROM claimed ORDER BY "
        "musher_place");
    const PostgresParams values{"T"};
    EXPECT_EQ(claim.params, values);
    EXPECT_FALSE(claim.kept);
    EXPECT_TRUE(sql.claim(64, "T").kept) << "a whole batch";
}

TEST(PostgresQueueSql, SettlesManyByKeyAndToken) {
    const TableSql sql =
        statements("{ connection: c, table: t, columns: { token: token, error: why } }",
                   {{"id", "bigint"}, {"status", "text"}, {"token", "uuid"}, {"why", "text"}});
    const PostgresStatement settle = sql.settle({
        RowEnd{{"1", "A"}, RowEnd::Kind::done, {}},
        RowEnd{{"2", "B"}, RowEnd::Kind::failed, "it \"broke\" \\ , {"},
        RowEnd{{"3", "C"}, RowEnd::Kind::waiting, {}},
    });
    EXPECT_NE(settle.sql.find("WHERE t.\"id\" = (e.id)::bigint AND t.\"token\" = (e.token)::uuid "
                              "AND t.\"status\" = (E'running')::text RETURNING t.\"id\"::text"),
              std::string::npos)
        << settle.sql;
    const PostgresParams values{R"({"1","2","3"})", R"({"A","B","C"})",
                                R"({"done","failed","waiting"})",
                                R"({NULL,"it \"broke\" \\ , {",NULL})", R"({"f","f","t"})"};
    EXPECT_EQ(settle.params, values);

    const PostgresStatement one = sql.settle({RowEnd{{"2", "B"}, RowEnd::Kind::failed, "broke"}});
    EXPECT_NE(one.sql.find("FROM (VALUES ($1::text, "), std::string::npos) << one.sql;
    const PostgresParams its{"2", "B", "failed", "broke", "f"};
    EXPECT_EQ(one.params, its);
}

TEST(PostgresQueueSql, WithoutATokenTheKeyMustDo) {
    const TableSql sql = statements("{ connection: c, table: t, columns: { status: s } }",
                                    {{"id", "text"}, {"s", "smallint"}});
    EXPECT_EQ(sql.settle({}).sql.find("e.token"), std::string::npos);
    EXPECT_EQ(sql.held(std::nullopt, 9).sql,
              "SELECT t.* FROM \"t\" AS t WHERE t.\"s\" = ($1)::smallint ORDER BY t.\"id\" LIMIT "
              "$2::bigint");
}

TEST(PostgresQueueSql, AdoptsByTheServersClock) {
    const TableSql sql = statements("{ connection: c, table: t, columns: { reactor: r } }",
                                    {{"id", "text"}, {"status", "text"}, {"r", "uuid"}});
    const PostgresStatement adopt = sql.adopt(5);
    EXPECT_NE(adopt.sql.find("r.beat_at > now() - $4::bigint * interval '1 millisecond'"),
              std::string::npos);
    const PostgresParams values{"running", "me", "pipe", "30000", "5"};
    EXPECT_EQ(adopt.params, values);
}

}  // namespace
}  // namespace musher::postgres_queue
