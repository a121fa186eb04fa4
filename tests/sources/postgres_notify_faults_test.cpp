// postgres_notify when its server is killed, stopped, replaced or silent.
#include <fstream>

#include "tests/sources/postgres_notify_life.h"

namespace musher {
namespace {

using namespace test::postgres_notify;
using test::eventually;
using test::PostgresServer;
using Words = std::vector<std::string>;

Task<void> restarted(Loop& loop, PostgresServer& server) {
    server.exec("CREATE TABLE t (id int PRIMARY KEY)");
    Life life(loop, server, kCatchUp);
    co_await life.until_listening();
    server.exec("INSERT INTO t VALUES (1)");  // without a word
    server.kill();
    co_await life.until_away();
    EXPECT_FALSE(life.ended());
    server.start();
    const Words missed = co_await life.take(1);
    EXPECT_EQ(missed, Words{"1"});
    server.stop();
    co_await life.until_away();
    server.start();
    co_await life.until_listening();
    co_await life.stop();
}
TEST(PostgresNotify, CatchesUpAfterTheServerWasKilled) {
    PostgresServer server({.durable = true});
    test::FastClock clock;
    test::on_loop_with(clock, restarted, server);
}

/// Makes a standby of it that follows nobody.
void demote(PostgresServer& server) {
    server.stop();
    std::ofstream(server.socket_folder() + "/../data/standby.signal") << "";
    server.start();
}

Task<void> fails_over(Loop& loop, PostgresServer& first, PostgresServer& second) {
    const std::string hosts = "host=127.0.0.1,127.0.0.1 port=" + std::to_string(first.port()) +
                              "," + std::to_string(second.port()) +
                              " user=app dbname=postgres password=" + PostgresServer::password();
    Life life(loop, "channels: c", hosts + " target_session_attrs=read-write");
    co_await life.until_listening();
    first.kill();
    co_await life.until_away();
    second.exec("SELECT pg_promote()");
    co_await life.until_listening();
    notify(second, 1);
    const Words heard = co_await life.take(1);
    EXPECT_EQ(heard, Words{"1"});
    co_await life.stop();
}
TEST(PostgresNotify, FollowsTheClusterToTheStandbyThatTookOver) {
    PostgresServer first;
    PostgresServer second;
    demote(second);
    test::FastClock clock;
    test::on_loop_with(clock, fails_over, first, second);
}

Task<void> on_standby(Loop& loop, PostgresServer& server) {
    Life life(loop, server, "channels: c");
    const auto told = [&life] { return life.says("target_session_attrs=read-write"); };
    co_await eventually(loop, told);
    Cancel never;
    const std::vector<Problem> problems = co_await life.source().probe(never);
    EXPECT_EQ(problems.size(), 1u);
    EXPECT_EQ(problems.at(0).code, "cannot_listen");
    EXPECT_NE(problems.at(0).message.find("LISTEN c"), std::string::npos) << problems[0].message;
    co_await life.stop();
}
TEST(PostgresNotify, SaysThatAStandbyCannotListen) {
    PostgresServer server;
    demote(server);
    test::on_loop(on_standby, server);
}

Task<void> half_open(Loop& loop, PostgresServer& server) {
    Life life(loop, server, "channels: c");
    co_await life.until_listening();
    const pid_t session =
        std::stoi(server.exec("SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"));
    ::kill(session, SIGSTOP);  // the socket stays open, and nobody answers
    co_await life.until_away();
    EXPECT_TRUE(life.says("did not answer")) << life.source().status();
    co_await life.until_listening();
    notify(server, 1);
    const Words heard = co_await life.take(1);
    EXPECT_EQ(heard, Words{"1"});
    co_await life.stop();
    ::kill(session, SIGCONT);
}
TEST(PostgresNotify, LeavesAConnectionWhoseOtherEndIsGone) {
    PostgresServer server;
    test::FastClock clock;
    test::on_loop_with(clock, half_open, server);
}

Task<void> stops_anywhere(Loop& loop, PostgresServer& server) {
    server.exec("CREATE TABLE t (id int PRIMARY KEY)");
    server.exec("INSERT INTO t SELECT generate_series(1, 1000)");
    for (int turns = 0; turns < 60; ++turns) {
        Life life(loop, server, kCatchUp, 1);
        for (int i = 0; i < turns * turns; ++i) co_await next_turn(loop.ready());
        if (turns % 3 == 0) life.source().pause(PauseReason::ordered);
        if (turns % 4 == 0) life.source().resume();
        co_await life.stop();
    }
}
TEST(PostgresNotify, StopsAnywhere) {
    PostgresServer server;
    test::on_loop(stops_anywhere, server);
}

}  // namespace
}  // namespace musher
