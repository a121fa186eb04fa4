// What postgres_queue does when it, its server or another reactor was killed.
#include <gtest/gtest.h>

#include "tests/support/job_table.h"

namespace musher {
namespace {

using Table = test::JobTableRig;
using Life = test::JobTableLife;
using test::over;
using Words = std::vector<std::string>;

Task<void> fenced(Loop& loop, Table& table) {
    Life life(loop, table);
    co_await life.take(1);
    const Event old = life.events["1"];
    table.server.exec("UPDATE jobs SET status = 'waiting'");
    co_await life.take(1);
    const Event fresh = life.events["1"];
    EXPECT_NE(old.id, fresh.id) << "another claim is another job";
    life.events["1"] = old;
    co_await life.settle("1", Outcome::dead);
    EXPECT_EQ(table.row("status, error IS NULL, tries", "1"), "running\tt\t2");
    life.events["1"] = fresh;
    co_await life.settle("1", Outcome::done);
    EXPECT_EQ(table.row("status, finished IS NOT NULL", "1"), "done\tt");
    life.events["1"] = old;
    Cancel never;
    const Result<void> back = co_await life.source().recall(old, never);
    EXPECT_EQ(back.error().code, Errc::not_found);
    table.server.exec("DELETE FROM jobs");
    co_await life.settle("1", Outcome::done);
    co_await life.stop();
}
TEST(PostgresQueue, OnlyTheClaimInTheRowEndsIt) {
    Table table;
    table.insert(1);
    over(fenced, table);
}

Task<void> away(Loop& loop, Table& table) {
    Life life(loop, table);
    co_await life.take(2);
    table.server.kill();
    std::vector<Settlement> ended;
    ended.push_back(test::settlement_of(life.events["1"], Outcome::done));
    Cancel never;
    Result<void> settled = co_await life.source().settle(ended, never);
    EXPECT_EQ(settled.error().code, Errc::unavailable);
    EXPECT_EQ(ended.size(), 1u);
    table.server.start();
    settled = co_await life.source().settle(ended, never);
    EXPECT_TRUE(settled.has_value()) << settled.error().text();
    EXPECT_EQ(table.row("status", "1"), "done");
    co_await life.stop();
}
TEST(PostgresQueue, SettlesWhenTheServerIsThereAgain) {
    Table table;
    table.insert(2);
    over(away, table);
}

Task<void> taken_over(Loop& loop, Table& table) {
    std::map<std::string, std::string> ids;
    {
        Life lost(loop, table, "one");
        co_await lost.take(4);
        for (const auto& [word, event] : lost.events) ids[word] = event.id;
        table.ledger.known.clear();
        table.ledger.known[ids["2"]] = Presence::live;
        table.ledger.known[ids["3"]] = Presence::done;
        table.ledger.settlements[ids["3"]] = test::settlement_of(lost.events["3"], Outcome::done);
        co_await lost.stop();
    }
    Life life(loop, table, "two");
    co_await life.pass(std::chrono::seconds(20));
    EXPECT_EQ(life.out().size(), 0u) << "its holder may come back yet";
    table.server.exec(
        "UPDATE jobs SET tries = 3 WHERE id = 4; UPDATE musher_reactors SET beat_at "
        "= beat_at - interval '31 seconds' WHERE node = 'one'");
    const Words again = co_await life.take(1);
    EXPECT_EQ(again, Words{"1"});
    EXPECT_EQ(life.events["1"].id, ids["1"]) << "the same claim, the same job";
    EXPECT_EQ(table.row("status, tries", "1"), "running\t2");
    EXPECT_EQ(table.row("status, tries", "2"), "running\t1");
    const auto settled = [&] { return table.row("status", "3") == "done"; };
    co_await test::eventually(loop, settled);
    EXPECT_EQ(table.row("status, error", "4"), "failed\t3 reactors took it and did not come back");
    EXPECT_EQ(table.server.exec("SELECT count(DISTINCT reactor) FROM jobs WHERE id IN (1, 2)"),
              "1");
    co_await life.settle("1", Outcome::done);
    EXPECT_EQ(table.row("status", "1"), "done");
    co_await life.stop();
}
TEST(PostgresQueue, TakesOverTheRowsOfAReactorThatDoesNotComeBack) {
    Table table;
    table.insert(4);
    over(taken_over, table);
}

Task<void> alive(Loop& loop, Table& table) {
    Life holder(loop, table, "one");
    co_await holder.take(1);
    Life other(loop, table, "two");
    co_await other.pass(std::chrono::seconds(60));  // three seconds of the server's clock
    EXPECT_EQ(other.out().size(), 0u);
    EXPECT_EQ(table.server.exec("SELECT count(*) FROM musher_reactors WHERE beat_at > now() - "
                                "interval '1500 milliseconds'"),
              "2");
    co_await holder.stop();
    co_await other.stop();
}
TEST(PostgresQueue, KeepsItsRowsWhileItBeats) {
    Table table;
    table.options = "table: jobs, poll: 1s, lease: 2s";
    table.insert(1);
    over(alive, table);
}

Task<void> silent(Loop& loop, Table& table) {
    Life life(loop, table);
    co_await life.take(1);
    const pid_t session = std::stoi(
        table.server.exec("SELECT pid FROM pg_stat_activity WHERE query LIKE '%SKIP LOCKED%' AND "
                          "pid <> pg_backend_pid()"));
    ::kill(session, SIGSTOP);  // the socket stays open, and nobody answers
    const auto away = [&life] { return !life.source().status().value("ok", true); };
    co_await test::eventually(loop, away);
    table.server.exec("INSERT INTO jobs DEFAULT VALUES");
    const Words more = co_await life.take(1);
    EXPECT_EQ(more, Words{"2"});
    EXPECT_TRUE(life.source().status().value("ok", false));
    co_await life.stop();
    ::kill(session, SIGCONT);
}
TEST(PostgresQueue, LeavesAConnectionWhoseOtherEndIsGone) {
    Table table;
    table.server.exec("INSERT INTO jobs DEFAULT VALUES");
    over(silent, table);
}

Task<void> restarts(Loop& loop, Table& table) {
    std::map<std::string, std::string> ids;
    {
        Life life(loop, table);
        co_await life.take(20, false);
        for (const auto& [word, event] : life.events) ids[word] = event.id;
        table.server.kill();
        co_await life.stop();
        table.server.start();
    }
    Life next(loop, table);
    co_await next.take(20);
    for (const auto& [word, event] : next.events) EXPECT_EQ(event.id, ids[word]);
    EXPECT_EQ(table.server.exec("SELECT max(tries) FROM jobs"), "1");
    co_await next.stop();
}
TEST(PostgresQueue, SendsAgainUnderTheSameIdAfterBothWereKilled) {
    Table table;
    table.insert(20);
    over(restarts, table);
}

}  // namespace
}  // namespace musher
