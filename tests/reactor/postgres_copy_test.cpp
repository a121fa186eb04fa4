// COPY both ways against a real PostgreSQL.
#include "reactor/drivers/postgres_copy.h"

#include "reactor/base/digest.h"
#include "tests/reactor/postgres_words.h"

namespace musher {
namespace {

using test::dialled;
using test::PostgresServer;
using test::said;
using Link = std::unique_ptr<PostgresLink>;

constexpr int kRows = 100'000;

std::string row(int i) { return std::to_string(i) + "\trow " + std::to_string(i) + " of many\n"; }

Task<void> both_ways(Loop& loop, PostgresServer& server) {
    const PostgresTarget target = server.target();
    const Link link = co_await dialled(loop, target);
    co_await said(*link, "CREATE TABLE t (id int, name text)");
    Cancel never;
    PostgresCopyIn in(*link, never);
    const Result<void> begun = co_await in.start("COPY t FROM STDIN");
    EXPECT_TRUE(begun.has_value());
    std::string chunk;
    Digest sent(DigestKind::sha256);
    for (int i = 0; i < kRows; ++i) {
        chunk += row(i);
        if (chunk.size() < 50'000 && i + 1 < kRows) continue;
        sent.update(as_bytes(chunk));
        // Cut anywhere: the server sees one stream.
        const std::string_view all = chunk;
        const Result<void> first = co_await in.write(all.substr(0, 12'345));
        const Result<void> second =
            co_await in.write(all.substr(std::min<std::size_t>(12'345, all.size())));
        EXPECT_TRUE(first && second);
        chunk.clear();
    }
    const Result<std::uint64_t> copied = co_await in.finish();
    EXPECT_EQ(copied.value(), static_cast<std::uint64_t>(kRows));

    PostgresCopyOut out(*link, never);
    const Result<void> opened = co_await out.start("COPY (SELECT * FROM t ORDER BY id) TO STDOUT");
    EXPECT_TRUE(opened.has_value());
    Digest got(DigestKind::sha256);
    std::size_t chunks = 0;
    for (;;) {
        const Result<std::string> rows = co_await out.read();
        if (!rows || rows->empty()) break;
        EXPECT_TRUE(rows->ends_with('\n'));
        got.update(as_bytes(*rows));
        ++chunks;
    }
    EXPECT_GT(chunks, 10u);
    EXPECT_EQ(got.hex(), sent.hex());
    EXPECT_EQ(co_await said(*link, "SELECT count(*) FROM t"), std::to_string(kRows));
}
TEST(PostgresCopy, CarriesAHundredThousandRowsBothWays) {
    PostgresServer server;
    test::on_loop(both_ways, server);
}

Task<void> fails_midway(Loop& loop, PostgresServer& server) {
    const PostgresTarget target = server.target();
    const Link link = co_await dialled(loop, target);
    co_await said(*link, "CREATE TABLE t (id int, name text)");
    Cancel never;
    PostgresCopyIn in(*link, never);
    co_await in.start("COPY t FROM STDIN");
    for (int i = 0; i < 5'000; ++i) {
        const std::string line = i == 2'500 ? "x\ty\n" : row(i);
        const Result<void> written = co_await in.write(line);
        EXPECT_TRUE(written.has_value());
    }
    const Result<std::uint64_t> refused = co_await in.finish();
    EXPECT_EQ(refused.error().code, Errc::usage);
    EXPECT_EQ(refused.error().text(), "invalid input syntax for type integer: \"x\" (22P02)");
    EXPECT_EQ(co_await said(*link, "SELECT count(*) FROM t"), "0");

    // The server divides by zero after thousands of rows went out.
    PostgresCopyOut out(*link, never);
    co_await out.start("COPY (SELECT 1 / (50000 - i) FROM generate_series(1, 60000) i) TO STDOUT");
    std::size_t bytes = 0;
    for (;;) {
        const Result<std::string> rows = co_await out.read();
        if (!rows) {
            EXPECT_NE(rows.error().text().find("22012"), std::string::npos);
            break;
        }
        EXPECT_FALSE(rows->empty()) << "an end without its error";
        if (rows->empty()) break;
        bytes += rows->size();
    }
    EXPECT_GT(bytes, 10'000u);
    EXPECT_EQ(co_await said(*link, "SELECT 'whole'"), "whole");
}
TEST(PostgresCopy, TellsWhatFailedInTheMiddle) {
    PostgresServer server;
    test::on_loop(fails_midway, server);
}

Task<void> stops_midway(Loop& loop, PostgresServer& server) {
    const PostgresTarget target = server.target();
    const Link link = co_await dialled(loop, target);
    co_await said(*link, "CREATE TABLE t (id int, name text)");
    Cancel never;
    PostgresCopyIn in(*link, never);
    co_await in.start("COPY t FROM STDIN");
    co_await in.write(row(1));
    co_await in.abort("changed my mind");
    EXPECT_EQ(co_await said(*link, "SELECT count(*) FROM t"), "0");

    Cancel cancel;
    PostgresCopyIn cancelled(*link, cancel);
    co_await cancelled.start("COPY t FROM STDIN");
    cancel.request(Errc::timeout, "late");
    const Result<void> late = co_await cancelled.write(row(1));
    EXPECT_EQ(late.error().code, Errc::timeout);
    EXPECT_EQ(co_await said(*link, "SELECT count(*) FROM t"), "0");

    PostgresCopyOut plain(*link, never);
    const Result<void> no_copy = co_await plain.start("SELECT 1");
    EXPECT_EQ(no_copy.error().code, Errc::usage);
    const Result<void> no_table = co_await plain.start("COPY nothing TO STDOUT");
    EXPECT_EQ(no_table.error().code, Errc::not_found);
    EXPECT_FALSE(link->broken());
    {
        PostgresCopyIn left(*link, never);
        co_await left.start("COPY t FROM STDIN");
        co_await left.write(row(1));
    }
    EXPECT_TRUE(link->broken());
    const Link next = co_await dialled(loop, target);
    EXPECT_EQ(co_await said(*next, "SELECT count(*) FROM t"), "0");
}
TEST(PostgresCopy, LeavesNothingWhenItStops) {
    PostgresServer server;
    test::on_loop(stops_midway, server);
}

/// A reader that takes one chunk and pauses: the server waits, this process holds no more.
Task<void> slow_reader(Loop& loop, PostgresServer& server) {
    const PostgresTarget target = server.target();
    const Link link = co_await dialled(loop, target);
    const Link other = co_await dialled(loop, target);
    Cancel never;
    PostgresCopyOut out(*link, never);
    co_await out.start("COPY (SELECT repeat('x', 1000) FROM generate_series(1, 20000)) TO STDOUT");
    const Result<std::string> first = co_await out.read();
    EXPECT_FALSE(first->empty());
    const std::string waits =
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event = "
        "'ClientWrite' AND pid = " +
        std::to_string(link->backend());
    std::string blocked;
    for (int tries = 0; tries < 10'000 && blocked != "1"; ++tries) {
        blocked = co_await said(*other, waits);
    }
    EXPECT_EQ(blocked, "1") << "twenty megabytes went somewhere";
    std::size_t bytes = first->size();
    for (;;) {
        const Result<std::string> rows = co_await out.read();
        if (!rows || rows->empty()) break;
        bytes += rows->size();
    }
    EXPECT_EQ(bytes, 20'000u * 1001u);
}
TEST(PostgresCopy, SlowsTheServerDownToItsReader) {
    PostgresServer server;
    test::on_loop(slow_reader, server);
}

}  // namespace
}  // namespace musher
