// postgres_queue against a real PostgreSQL; what every source must do is in
// source_conformance_test.
#include <gtest/gtest.h>

#include "tests/support/job_table.h"

namespace musher {
namespace {

using Table = test::JobTableRig;
using Life = test::JobTableLife;
using test::over;
using Words = std::vector<std::string>;

Task<void> shares(Loop& loop, Table& table) {
    Life one(loop, table, "one");
    Life two(loop, table, "two");
    std::map<std::string, int> seen;
    std::size_t by_two = 0;
    // Whoever is first fills its room and waits for the other.
    const auto both = [&] { return one.out().size() > 0 && two.out().size() > 0; };
    EXPECT_TRUE(co_await test::eventually(loop, both));
    while (seen.size() < 2000) {
        const auto some = [&] { return one.out().size() + two.out().size() > 0; };
        const bool came = co_await test::eventually(loop, some);
        if (!came) break;
        const Words first = co_await one.take(one.out().size());
        const Words second = co_await two.take(two.out().size());
        for (const std::string& word : first) ++seen[word];
        for (const std::string& word : second) ++seen[word];
        by_two += second.size();
    }
    EXPECT_TRUE(std::all_of(seen.begin(), seen.end(), [](auto& row) { return row.second == 1; }));
    EXPECT_GT(by_two, 0u);
    EXPECT_LT(by_two, 2000u);
    EXPECT_EQ(table.server.exec("SELECT count(DISTINCT reactor), min(tries), max(tries) FROM jobs "
                                "WHERE status = 'running' AND token IS NOT NULL"),
              "2\t1\t1");
    co_await one.stop();
    co_await two.stop();
}
TEST(PostgresQueue, TwoReactorsNeverHaveTheSameRow) {
    Table table;
    table.server.exec("INSERT INTO jobs (priority) SELECT n % 7 FROM generate_series(1, 2000) n");
    over(shares, table);
}

Task<void> in_order(Loop& loop, Table& table) {
    Life life(loop, table);
    const Words came = co_await life.take(300);
    const std::string rows = table.server.exec("SELECT id FROM jobs ORDER BY priority, id");
    std::string order;
    for (const std::string& word : came) order += (order.empty() ? "" : "\n") + word;
    EXPECT_EQ(order, rows);
    co_await life.stop();
}
TEST(PostgresQueue, ClaimsByPriorityThenByAge) {
    Table table;
    table.server.exec(
        "INSERT INTO jobs (priority) SELECT (n * 7919) % 13 FROM generate_series(1, 300) n");
    over(in_order, table);
}

Task<void> rings(Loop& loop, Table& table) {
    Life life(loop, table);
    const auto waits = [&] { return life.source().status()["detail"] == "waits for rows"; };
    co_await test::eventually(loop, waits);
    table.insert(1);
    const Words came = co_await life.take(1);
    EXPECT_EQ(came, Words{"1"});
    co_await life.stop();
}
TEST(PostgresQueue, IsWokenByTheTrigger) {
    Table table;
    table.options = "table: jobs, channel: jobs, poll: 1h";
    over(rings, table);
}

Task<void> no_more_than_room(Loop& loop, Table& table) {
    Life life(loop, table, "one", 2);
    const auto full = [&] { return life.out().room() == 0; };
    co_await test::eventually(loop, full);
    co_await life.pass(std::chrono::seconds(5));
    const std::string running = "SELECT count(*) FROM jobs WHERE status = 'running'";
    EXPECT_EQ(table.server.exec(running), "2");
    co_await life.take(2);
    co_await test::eventually(loop, full);
    EXPECT_EQ(table.server.exec(running), "4");
    co_await life.stop();
}
TEST(PostgresQueue, ClaimsNoMoreThanThereIsRoomFor) {
    Table table;
    table.insert(9);
    over(no_more_than_room, table);
}

Task<void> ends(Loop& loop, Table& table) {
    Life life(loop, table);
    co_await life.take(3);
    co_await life.settle("1", Outcome::dead);
    co_await life.settle("2", Outcome::cancelled);
    EXPECT_EQ(table.row("status, error, finished = updated", "1"), "failed\tbroken\tt");
    EXPECT_EQ(table.row("status, error", "2"), "failed\tcancelled");
    const std::string id = life.events["3"].id;
    co_await life.settle("3", Outcome::released);
    co_await life.take(1);
    EXPECT_NE(life.events["3"].id, id);
    EXPECT_EQ(table.row("status, tries, finished IS NULL", "3"), "running\t1\tt");
    co_await life.stop();
}
TEST(PostgresQueue, WritesDownTheEnd) {
    Table table;
    table.insert(3);
    over(ends, table);
}

Task<void> unwanted(Loop& loop, Table& table) {
    Life life(loop, table);
    Cancel never;
    auto got = co_await life.out().receive(2, never);
    while (got->size() < 2) {
        auto more = co_await life.out().receive(1, never);
        got->push_back(std::move(more->front()));
    }
    got->at(0).ticket->accepted(Admission::unwanted);
    got->at(1).ticket->accepted(Admission::duplicate);
    const auto done = [&] {
        return table.server.exec("SELECT count(*) FROM jobs WHERE status = 'done'") == "2";
    };
    co_await test::eventually(loop, done);
    co_await life.stop();
}
TEST(PostgresQueue, WhatTheQueueDoesNotWantIsDone) {
    Table table;
    table.insert(2);
    over(unwanted, table);
}

Task<void> refused(Loop& loop, Table& table) {
    Life life(loop, table);
    co_await life.take(20);
    std::vector<Settlement> ended;
    for (const auto& [word, event] : life.events) {
        ended.push_back(test::settlement_of(event, Outcome::done));
    }
    Cancel never;
    Result<void> settled = co_await life.source().settle(ended, never);
    EXPECT_FALSE(settled.has_value());
    EXPECT_EQ(ended.size(), 1u);
    EXPECT_EQ(table.what(ended.front().event), "13");
    EXPECT_EQ(table.server.exec("SELECT count(*) FROM jobs WHERE status = 'done'"), "19");
    table.server.exec("DROP TRIGGER stubborn ON jobs");
    settled = co_await life.source().settle(ended, never);
    EXPECT_TRUE(settled.has_value());
    EXPECT_TRUE(ended.empty());
    co_await life.stop();
}
TEST(PostgresQueue, ARowThatCannotEndHoldsUpNoOther) {
    Table table;
    table.server.exec(
        "CREATE FUNCTION stubborn() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.status = "
        "'done' AND NEW.id = 13 THEN RAISE 'not this one'; END IF; RETURN NEW; END $$; CREATE "
        "TRIGGER stubborn BEFORE UPDATE ON jobs FOR EACH ROW EXECUTE FUNCTION stubborn(); "
        "INSERT INTO jobs (priority) SELECT 1 FROM generate_series(1, 20)");
    over(refused, table);
}

Task<void> plain(Loop& loop, Table& table) {
    {
        Life life(loop, table);
        const Words came = co_await life.take(2);
        EXPECT_EQ(came, (Words{"a", "b"}));
        co_await life.settle("a", Outcome::dead);
        EXPECT_EQ(table.server.exec("SELECT k, s FROM app.plain ORDER BY k"), "a\t9\nb\t1");
        table.ledger.known[life.events["a"].id] = Presence::dead;
        table.ledger.settlements[life.events["a"].id] =
            test::settlement_of(life.events["a"], Outcome::dead);
        table.ledger.known.erase(life.events["b"].id);  // lost
        co_await life.stop();
    }
    table.server.exec("UPDATE app.plain SET s = 0 WHERE k = 'a'");
    Life next(loop, table);
    const Words again = co_await next.take(1);
    EXPECT_EQ(again, Words{"b"});
    const auto ended = [&] {
        return table.server.exec("SELECT s FROM app.plain WHERE k = 'a'") == "9";
    };
    co_await test::eventually(loop, ended);
    co_await next.stop();
}
TEST(PostgresQueue, WorksOnATableWithAKeyAndAStatus) {
    Table table(
        "CREATE SCHEMA app; CREATE TABLE app.plain (k text PRIMARY KEY, s smallint DEFAULT 0); "
        "INSERT INTO app.plain VALUES ('b'), ('a')");
    table.id = "k";
    table.options =
        "table: app.plain, poll: 1s, columns: { id: k, status: s }, statuses: { waiting: 0, "
        "running: 1, done: 2, failed: 9 }";
    over(plain, table);
}

Task<void> keyed(Loop& loop, Table& table) {
    Life life(loop, table);
    const auto waits = [&] { return life.source().status()["detail"] == "waits for rows"; };
    co_await test::eventually(loop, waits);
    table.server.exec("INSERT INTO app.\"Jobs\" DEFAULT VALUES");
    const Words came = co_await life.take(1);
    EXPECT_EQ(came, Words{"1"});
    co_await life.settle("1", Outcome::done);
    EXPECT_EQ(table.server.exec("SELECT number, status FROM app.\"Jobs\""), "1\tdone");
    co_await life.stop();
}
TEST(PostgresQueue, TakesATableWithAKeyOfAnotherName) {
    EXPECT_TRUE(postgres_queue::table_sql(std::string(55, 'z'), "id").has_value());
    EXPECT_EQ(postgres_queue::table_sql(std::string(56, 'z'), "id").error().code, Errc::usage);
    const std::string sql = postgres_queue::table_sql("app.Jobs", "number").value();
    Table table("CREATE SCHEMA app; " + sql.substr(sql.find('\n')));
    const std::string begin = "connection: NAME, ";
    const std::size_t at = sql.find(begin) + begin.size();
    table.id = "number";
    // What its first line says is what the source needs.
    table.options = "poll: 1h, " + sql.substr(at, sql.find('\n') - at - 2);
    over(keyed, table);
}

Task<void> transfers(Loop& loop, Table& table) {
    Life life(loop, table);
    const Words came = co_await life.take(2);
    EXPECT_EQ(came, (Words{"20", "10"})) << "lower priority first";
    EXPECT_EQ(life.events["10"].facts->at("row")["to_db"], "postgre:1");
    const std::string rows =
        "SELECT uid, tries, status, try_notices, last_update > '2000-01-01' FROM "
        "transfer.users_in_dogsleds ORDER BY uid";
    EXPECT_EQ(table.server.exec(rows), "10\t1\tin_transfer\t\tt\n20\t1\tin_transfer\t\tt");
    co_await life.settle("10", Outcome::done);
    co_await life.settle("20", Outcome::dead);
    EXPECT_EQ(table.server.exec(rows), "10\t1\tcomplete\t{NULL}\tt\n20\t1\terror\t{broken}\tt");
    Cancel never;
    const std::vector<Problem> problems = co_await life.source().probe(never);
    EXPECT_TRUE(problems.empty()) << problems.front().message;
    co_await life.stop();
}
TEST(PostgresQueue, ServesTheTableOfATransferService) {
    Table table(
        "CREATE SCHEMA transfer; CREATE TYPE transfer.status AS ENUM ('pending', 'in_transfer', "
        "'complete', 'error'); CREATE TABLE transfer.users_in_dogsleds (uid bigint PRIMARY KEY, "
        "to_db text, disallow_inited boolean, fill_change_log boolean, update_mail_migration "
        "boolean, priority integer DEFAULT 0, tries integer DEFAULT 0, status transfer.status "
        "DEFAULT 'pending', last_update timestamptz DEFAULT '1999-01-01', try_notices text[], "
        "token uuid, reactor uuid); CREATE TABLE transfer.reactors (id text PRIMARY KEY, node "
        "text, pipeline text, beat_at timestamptz); INSERT INTO transfer.users_in_dogsleds (uid, "
        "to_db, priority) VALUES (10, 'postgre:1', 5), (20, 'postgre:2', 1)");
    table.id = "uid";
    table.options =
        "table: transfer.users_in_dogsleds, reactors: transfer.reactors, poll: 1s, columns: { id: "
        "uid, status: status, priority: priority, tries: tries, updated: last_update, error: "
        "try_notices, token: token, reactor: reactor }, statuses: { waiting: pending, running: "
        "in_transfer, done: complete, failed: error }, where: \"to_db LIKE 'postgre:%'\"";
    over(transfers, table);
}

Task<void> probes(Loop& loop, Table& table, std::string& said) {
    Life life(loop, table);
    Cancel never;
    const std::vector<Problem> problems = co_await life.source().probe(never);
    for (const Problem& problem : problems) said += problem.code + ": " + problem.message + "\n";
    co_await life.stop();
}
/// What probe() says, one "code: message" a line.
std::string probed(Table& table) {
    std::string said;
    test::on_loop(probes, table, said);
    return said;
}
TEST(PostgresQueueProbe, FindsWhatIsWrongWithTheTable) {
    Table table;
    EXPECT_EQ(probed(table), "");
    table.options = "table: jobs, columns: { token: tokne, error: whay, started: id2 }";
    EXPECT_EQ(probed(table),
              "no_column: the table jobs has no column tokne, which `columns.token` names\n"
              "no_column: the table jobs has no column whay, which `columns.error` names\n"
              "no_column: the table jobs has no column id2, which `columns.started` names\n");
    table.options = "table: jobs, columns: { token: payload, tries: created, started: error }";
    EXPECT_EQ(
        probed(table),
        "bad_column: `columns.token`: payload is jsonb, and text or uuid is wanted\n"
        "bad_column: `columns.tries`: created is timestamp with time zone, and a number is wanted\n"
        "bad_column: `columns.started`: error is text, and a timestamp is wanted\n");
    table.options = "table: jobs, statuses: { running: busy }";
    EXPECT_EQ(
        probed(table),
        "bad_status: `statuses.running`: a check of the table does not let status be 'busy'\n");
    table.options = "table: jobs, where: 'nothing > 1'";
    EXPECT_EQ(probed(table).find("bad_claim: `where`: "), 0u) << probed(table);
    table.options = "table: jobs, reactors: nowhere";
    EXPECT_EQ(probed(table).find("no_reactors: `reactors`: "), 0u) << probed(table);
    table.options = "table: nowhere";
    EXPECT_EQ(probed(table).find("no_table: `table`: "), 0u) << probed(table);
    table.server.exec(
        "CREATE TYPE mood AS ENUM ('sad'); ALTER TABLE jobs ADD mood mood; CREATE "
        "TABLE bare (id int)");
    table.options = "table: jobs, columns: { status: mood }, statuses: { done: sad }";
    EXPECT_EQ(probed(table).find("bad_status: `statuses.waiting`: "), 0u) << probed(table);
    table.options = "table: bare";
    EXPECT_EQ(probed(table).find("no_column: the `table` bare has no column status\n"), 0u);
    table.options = "table: jobs";
    table.server.exec("CREATE ROLE clerk LOGIN; GRANT SELECT ON jobs TO clerk");
    table.url = table.server.url();
    table.url.replace(table.url.find("user=app"), 8, "user=clerk");
    EXPECT_EQ(probed(table).find("no_privilege: `table`: "), 0u) << probed(table);
}

}  // namespace
}  // namespace musher
