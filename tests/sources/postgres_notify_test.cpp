// postgres_notify on a real server: what comes, when, and how much of it.
#include "tests/sources/postgres_notify_life.h"

namespace musher {
namespace {

using namespace test::postgres_notify;
using test::eventually;
using test::PostgresServer;
using Words = std::vector<std::string>;

Words numbers(int count) {
    Words all;
    for (int i = 1; i <= count; ++i) all.push_back(std::to_string(i));
    return all;
}
Words sorted(Words words) {
    std::sort(words.begin(), words.end());
    return words;
}

Task<void> odd(Loop& loop, PostgresServer& server) {
    const std::string longest(63, 'C');
    Life life(loop, server, "channels: ['Odd \"na''me', '; DROP', " + longest + "]");
    co_await life.until_listening();
    server.exec(
        "SELECT pg_notify('Odd \"na''me', '{\"id\": 1}'), pg_notify('; DROP', ''),"
        " pg_notify(repeat('C', 63), '3'), pg_notify('odd \"na''me', '4')");
    server.exec("NOTIFY \"; DROP\", 'no json {'");
    Cancel never;
    std::vector<Delivery> all;
    while (all.size() < 4) {
        auto some = co_await life.out().receive(9, never);
        for (Delivery& one : *some) all.push_back(std::move(one));
    }
    EXPECT_EQ(all[0].event.facts->at("channel"), "Odd \"na'me");
    EXPECT_GT(all[0].event.facts->at("pid"), 0);
    EXPECT_EQ(all[1].event.facts->at("payload"), Json());
    EXPECT_EQ(all[2].event.facts->at("channel"), longest);
    EXPECT_FALSE(all[2].fault);
    EXPECT_EQ(all[3].event.facts->at("payload"), "no json {");
    EXPECT_TRUE(all[3].fault);
    EXPECT_EQ(life.source().status()["corrupt"], 1);
    for (Delivery& one : all) one.ticket->accepted(Admission::stored);
    co_await life.stop();
}
TEST(PostgresNotify, HearsOddChannelsAndKeepsWhatIsNoJson) {
    PostgresServer server;
    test::on_loop(odd, server);
}

Task<void> storm(Loop& loop, PostgresServer& server) {
    constexpr int kMany = 100'000;
    Life life(loop, server, "channels: c");
    co_await life.until_listening();
    notify(server, kMany);  // psql holds the loop meanwhile
    const Words all = co_await life.take(kMany);
    EXPECT_EQ(all, numbers(kMany)) << "each once, in order";
    EXPECT_EQ(life.source().status()["notifications"], kMany);
    co_await life.stop();
}
TEST(PostgresNotify, TakesAStormThatCameWhileTheLoopWasBusy) {
    PostgresServer server;
    test::on_loop(storm, server);
}

Task<void> full(Loop& loop, PostgresServer& server) {
    constexpr int kMany = 12'000;
    Life life(loop, server, "channels: c, payload: text", 8);
    co_await life.until_listening();
    notify(server, kMany, "repeat('x', 7990)");  // 96 MB; a payload's limit is 7999 bytes
    const PostgresTarget target = server.target();
    const auto link = co_await test::dialled(loop, target);
    const std::string waits =
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'ClientWrite'";
    // Once it waits for us, and we for somebody who takes events, nothing moves any more.
    std::string blocked;
    for (int tries = 0; tries < 10'000 && (blocked != "1" || life.out().size() < 8); ++tries) {
        blocked = co_await test::said(*link, waits);
    }
    EXPECT_EQ(life.out().size(), 8u);
    EXPECT_LT(life.source().status()["notifications"], 4300) << "the rest stays in the server";
    life.source().pause(PauseReason::queue_full);
    const Words first = co_await life.take(8);
    co_await life.pass(milliseconds(50));
    EXPECT_EQ(life.out().size(), 0u) << "it is paused";
    EXPECT_TRUE(life.source().status()["ok"]);
    life.source().resume();
    const Words rest = co_await life.take(kMany - 8);
    EXPECT_EQ(rest.size(), kMany - 8u);
    EXPECT_EQ(rest.front(), "9" + std::string(7990, 'x'));
    EXPECT_EQ(rest.back(), std::to_string(kMany) + std::string(7990, 'x'));
    co_await life.stop();
}
TEST(PostgresNotify, LetsTheServerKeepWhatAFullQueueCannotTake) {
    PostgresServer server;
    test::on_loop(full, server);
}

Task<void> paused(Loop& loop, PostgresServer& server) {
    Life life(loop, server, "channels: c");
    co_await life.until_listening();
    life.source().pause(PauseReason::ordered);
    const auto gone = [&server] {
        return server.exec("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'") ==
               "0";
    };
    co_await eventually(loop, gone);
    EXPECT_TRUE(life.says("paused"));
    notify(server, 3);
    life.source().resume();
    co_await life.until_listening();
    server.exec("SELECT pg_notify('c', '7')");
    const Words after = co_await life.take(1);
    EXPECT_EQ(after, Words{"7"}) << "what was sent in the pause is lost, as it says";
    co_await life.stop();
}
TEST(PostgresNotify, HoldsNothingInTheServerWhilePausedByHand) {
    PostgresServer server;
    test::on_loop(paused, server);
}

Task<void> many_rows(Loop& loop, PostgresServer& server) {
    server.exec("CREATE TABLE t (id int PRIMARY KEY)");
    server.exec("INSERT INTO t SELECT generate_series(1, 5000)");
    Life life(loop, server, kCatchUp, 8);
    const Words all = co_await life.take(5000);
    EXPECT_EQ(all, numbers(5000));
    co_await life.until_listening();
    EXPECT_EQ(server.exec("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'FETCH%'"), "0");

    // Each way it is the same event, and the queue is not bothered with what it knows.
    const std::string id = life.events["17"].id;
    server.exec("SELECT pg_notify('c', '{\"id\": 17}')");
    const Words again = co_await life.take(1);
    EXPECT_EQ(again, Words{"17"});
    EXPECT_EQ(life.events["17"].id, id);
    for (const auto& [word, event] : life.events) life.ledger->known[event.id] = Presence::done;
    life.ledger->known.erase(id);
    life.source().recheck();  // the queue has forgotten one
    const Words lost = co_await life.take(1);
    EXPECT_EQ(lost, Words{"17"});
    co_await life.pass(milliseconds(100));
    EXPECT_EQ(life.out().size(), 0u);
    co_await life.stop();
}
TEST(PostgresNotify, CatchesUpInBatchesAndAgainWhenTheQueueForgot) {
    PostgresServer server;
    test::on_loop(many_rows, server);
}

Task<void> between(Loop& loop, PostgresServer& server) {
    const PostgresTarget target = server.target();
    const auto link = co_await test::dialled(loop, target);
    co_await test::said(*link, "CREATE TABLE t (id int PRIMARY KEY)");
    co_await test::said(*link, "INSERT INTO t VALUES (1)");
    Life life(loop, server, "channels: c, catch_up: 'SELECT id FROM t, pg_sleep(0.5)'");
    const std::string runs = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    std::string sleeping;
    for (int tries = 0; tries < 10'000 && sleeping != "1"; ++tries) {
        sleeping = co_await test::said(*link, runs);
    }
    EXPECT_EQ(sleeping, "1");
    // The query does not see it any more.
    co_await test::said(*link, "INSERT INTO t VALUES (2)");
    co_await test::said(*link, "SELECT pg_notify('c', '{\"id\": 2}')");
    const Words both = co_await life.take(2);
    EXPECT_EQ(both, (Words{"1", "2"}));
    co_await life.stop();
}
TEST(PostgresNotify, ListensBeforeItCatchesUp) {
    PostgresServer server;
    test::on_loop(between, server);
}

Task<void> probes(Loop& loop, PostgresServer& server) {
    Cancel never;
    server.exec("CREATE TABLE t (id int PRIMARY KEY)");
    const auto life_with = [&](const std::string& query) {
        return std::make_unique<Life>(loop, server, "channels: c, catch_up: \"" + query + "\"");
    };
    for (const char* wrong : {"SELECT nothing FROM t", "SELECT id FROM t; SELECT 1",
                              "DELETE FROM t RETURNING id", "SELECT $1", "no SQL"}) {
        const auto life = life_with(wrong);
        const std::vector<Problem> found = co_await life->source().probe(never);
        EXPECT_EQ(found.size(), 1u) << wrong;
        EXPECT_TRUE(found.size() == 1 && found[0].code == "bad_catch_up") << wrong;
        const auto told = [&life] { return life->says("catch_up: "); };
        co_await eventually(loop, told);
        co_await life->stop();
    }
    server.exec("INSERT INTO t VALUES (1)");
    const auto life = life_with("SELECT id, 1 / (id - 1) FROM t");
    const std::vector<Problem> none = co_await life->source().probe(never);
    EXPECT_TRUE(none.empty()) << "the query does not run: " << none[0].message;
    const auto told = [&life] { return life->says("division by zero"); };
    co_await eventually(loop, told);
    EXPECT_FALSE(life->source().status()["ok"]);
    co_await life->stop();
}
TEST(PostgresNotify, SaysWhatIsWrongWithTheQuery) {
    PostgresServer server;
    test::on_loop(probes, server);
}

Task<void> by_trigger(Loop& loop, PostgresServer& server) {
    const std::string table = "shop.It's \"new\"";
    const std::string quoted = postgres_table_name(table);
    server.exec("CREATE SCHEMA shop; CREATE TABLE " + quoted + " (\"No\" text PRIMARY KEY, a int)");
    for (int times = 0; times < 2; ++times) {
        server.exec(postgres_notify_sql(table, "No").value());
    }
    Life life(loop, server, "channels: [\"It's \\\"new\\\"\"]");
    co_await life.until_listening();
    server.exec("INSERT INTO " + quoted + " VALUES ('b', 1), ('a', 1)");
    server.exec("INSERT INTO " + quoted + " SELECT 'c', 1 WHERE false");
    server.exec("UPDATE " + quoted + " SET a = 2");
    server.exec("INSERT INTO " + quoted + " VALUES ('b', 3) ON CONFLICT DO NOTHING");
    server.exec("COPY " + quoted + " FROM PROGRAM 'echo c,5' CSV");
    const Words words = co_await life.take(3);
    EXPECT_EQ(sorted(words), (Words{"\"a\"", "\"b\"", "\"c\""}));
    const Json& facts = life.events["\"c\""].facts;
    EXPECT_EQ(facts["op"], "INSERT");
    EXPECT_EQ(facts["table"], "It's \"new\"");
    co_await life.pass(milliseconds(50));
    EXPECT_EQ(life.out().size(), 0u);
    co_await life.stop();
}
TEST(PostgresNotify, PrintsATriggerThatWorks) {
    PostgresServer server;
    test::on_loop(by_trigger, server);
}

Task<void> by_odd_key(Loop& loop, PostgresServer& server) {
    const std::vector<std::pair<std::string, std::string>> keys = {
        {"numeric(12,2)", "7"},
        {"numeric(30,2)", "123456789012345678901"},
        {"timestamptz", "2026-01-02T03:04:05Z"},
        {"date", "2026-01-02"},
        {"bytea", "\\xff00"},
        {"bigint", "9223372036854775807"},
        {"boolean", "true"},
        {"uuid", "{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11}"}};
    for (const auto& [type, value] : keys) {
        server.exec("DROP TABLE IF EXISTS odd; CREATE TABLE odd (id " + type + " PRIMARY KEY)");
        server.exec(postgres_notify_sql("odd", "id").value());
        Life life(loop, server, "channels: odd, catch_up: SELECT id FROM odd");
        co_await life.until_listening();
        server.exec("INSERT INTO odd VALUES ('" + value + "')");
        const std::string told = (co_await life.take(1)).at(0);
        co_await life.stop();
        Life after(loop, server, "channels: odd, catch_up: SELECT id FROM odd");
        const std::string row = (co_await after.take(1)).at(0);
        EXPECT_EQ(life.events[told].id, after.events[row].id) << type << told << row;
        co_await after.stop();
    }
}
TEST(PostgresNotify, KnowsARowByItsKeyOfAnyType) {
    PostgresServer server;
    test::on_loop(by_odd_key, server);
}

}  // namespace
}  // namespace musher
