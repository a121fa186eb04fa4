// The private redis-server: starts, deaths of either side, what stands in the way, the clean stop.
#include "pipelines/queue/embedded_redis.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>
#include <fstream>

#include "pipelines/queue/embedded_redis_folder.h"
#include "pipelines/queue/state_lock.h"
#include "tests/support/eventually.h"
#include "tests/support/redis_server.h"
#include "tests/support/run_loop.h"

namespace musher {
namespace {

using test::eventually;
using test::RedisServer;
using test::TempDir;
using Argv = std::vector<std::string>;

EmbeddedRedisOptions options_for(const TempDir& state) {
    EmbeddedRedisOptions options;
    options.state = state.path();
    return options;
}

RedisOptions eager() {
    RedisOptions options;
    options.backoff_cap = milliseconds(50);
    options.patience = std::chrono::seconds(20);
    return options;
}

/// The text of an answer, or of an error.
Task<std::string> ask(Redis& redis, Argv argv) {
    Cancel never;
    const Result<RedisReply> reply = co_await redis.command(std::move(argv), never);
    if (!reply) co_return reply.error().text();
    co_return reply->text;
}

Task<void> expect_start(EmbeddedRedis& server) {
    Cancel never;
    const Result<void> started = co_await server.start(never);
    EXPECT_TRUE(started.has_value()) << started.error().text();
}

Task<void> expect_failure(Loop& loop, EmbeddedRedisOptions& options, Error& error) {
    EmbeddedRedis server(loop, options);
    Cancel never;
    const Result<void> started = co_await server.start(never);
    EXPECT_FALSE(started.has_value());
    if (!started) error = started.error();
    EXPECT_EQ(server.pid(), 0);
}
Error failure(EmbeddedRedisOptions options) {
    Error error;
    test::on_loop(expect_failure, options, error);
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
    return error;
}

Task<void> write_and_stop(Loop& loop, const TempDir& state) {
    EmbeddedRedis server(loop, options_for(state));
    co_await expect_start(server);
    Redis redis(loop, server.target());
    Argv set{"SET", "k", "v"};
    EXPECT_EQ(co_await ask(redis, set), "OK");
    struct stat info{};
    EXPECT_EQ(::stat((state / "redis").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0700u);
    co_await redis.close();
    co_await server.stop();
    EXPECT_EQ(server.pid(), 0);
    EXPECT_FALSE(std::filesystem::exists(state / "redis/redis.sock"));
}
Task<void> find_and_stop(Loop& loop, const TempDir& state) {
    EmbeddedRedis server(loop, options_for(state));
    co_await expect_start(server);
    Redis redis(loop, server.target());
    Argv get{"GET", "k"};
    EXPECT_EQ(co_await ask(redis, get), "v");
    co_await redis.close();
    co_await server.stop();
}
TEST(EmbeddedRedis, KeepsItsDataOverACleanStop) {
    const TempDir state;
    test::on_loop(write_and_stop, state);
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
    test::on_loop(find_and_stop, state);
}

Task<void> configuration(Loop& loop, const TempDir& state) {
    EmbeddedRedis server(loop, options_for(state));
    co_await expect_start(server);
    Redis redis(loop, server.target());
    const std::pair<const char*, const char*> settings[] = {
        {"appendonly", "yes"}, {"appendfsync", "always"},
        {"save", ""},          {"hz", "1"},
        {"port", "0"},         {"maxmemory-policy", "noeviction"},
        {"daemonize", "no"},   {"aof-load-truncated", "no"}};
    Cancel never;
    for (const auto& [name, value] : settings) {
        Argv get{"CONFIG", "GET", name};
        const Result<RedisReply> reply = co_await redis.command(get, never);
        EXPECT_EQ(reply->items[1].text, value) << name;
    }
    co_await redis.close();
    co_await server.stop();
}
TEST(EmbeddedRedis, IsDurableAndPrivate) {
    const TempDir state;
    test::on_loop(configuration, state);
}

Task<void> kill_server(Loop& loop, const TempDir& state) {
    EmbeddedRedis server(loop, options_for(state));
    co_await expect_start(server);
    Redis redis(loop, server.target(), eager());
    Argv set{"SET", "k", "v"};
    Argv get{"GET", "k"};
    for (std::uint64_t times = 1; times <= 2; ++times) {
        EXPECT_EQ(co_await ask(redis, set), "OK");
        ::kill(server.pid(), SIGKILL);
        const auto again = [&] { return server.restarts() == times && server.pid() != 0; };
        co_await eventually(loop, again);
        EXPECT_EQ(server.last_error().message, "the embedded redis-server was killed by SIGKILL");
        const auto noticed = [&] { return redis.status().connections > times; };
        co_await eventually(loop, noticed);
        EXPECT_EQ(co_await ask(redis, get), "v");
    }
    co_await redis.close();
    co_await server.stop();
}
TEST(EmbeddedRedis, StartsAgainAfterKill9WithItsData) {
    const TempDir state;
    test::on_loop(kill_server, state);
}

const Argv kCounts = {"EVAL",
                      "redis.call('INCR', 'x') redis.call('SET', 'y', '12345') return 'done'", "0"};

/// As if the server had been killed in the middle of writing the last of kCounts.
void cut_last_write(const TempDir& state) {
    const std::string file = state / "redis/appendonlydir/appendonly.aof.1.incr.aof";
    std::ifstream in(file, std::ios::binary);
    const std::string all{std::istreambuf_iterator<char>(in), {}};
    std::filesystem::resize_file(file, all.rfind("12345") + 2);
}

Task<void> cut_short(Loop& loop, const TempDir& state) {
    EmbeddedRedis server(loop, options_for(state));
    co_await expect_start(server);
    Redis redis(loop, server.target(), eager());
    Argv get{"GET", "x"};
    // Found at a start.
    EXPECT_EQ(co_await ask(redis, get), "") << "nobody got an answer to it";
    EXPECT_EQ(co_await ask(redis, kCounts), "done");
    EXPECT_EQ(co_await ask(redis, kCounts), "done");
    // Found when it is started again.
    ::kill(server.pid(), SIGKILL);
    cut_last_write(state);
    const auto mended = [&] { return server.restarts() >= 2 && redis.status().connections > 1; };
    co_await eventually(loop, mended);
    EXPECT_EQ(co_await ask(redis, get), "1");
    EXPECT_EQ(co_await ask(redis, kCounts), "done");
    const std::uint64_t before = server.restarts();
    ::kill(server.pid(), SIGKILL);
    const auto again = [&] { return server.restarts() > before && server.pid() != 0; };
    co_await eventually(loop, again);
    const auto noticed = [&] { return redis.status().connections > 2; };
    co_await eventually(loop, noticed);
    EXPECT_EQ(co_await ask(redis, get), "2") << "half a transaction ran with another one";
    co_await redis.close();
    co_await server.stop();
}
Task<void> count_once(Loop& loop, const TempDir& state) {
    EmbeddedRedis server(loop, options_for(state));
    co_await expect_start(server);
    Redis redis(loop, server.target());
    EXPECT_EQ(co_await ask(redis, kCounts), "done");
    co_await redis.close();
    co_await server.stop();
}
TEST(EmbeddedRedis, TakesAWriteOffThatIsNotWhole) {
    const TempDir state;
    test::on_loop(count_once, state);
    cut_last_write(state);
    test::on_loop(cut_short, state);
}

/// What a musher does that is about to be killed: starts the server, writes, says so.
Task<void> doomed_musher(Loop& loop, const TempDir& state, const int& says) {
    EmbeddedRedis server(loop, options_for(state));
    co_await expect_start(server);
    Redis redis(loop, server.target());
    Argv set{"SET", "k", "v"};
    const std::string answer = co_await ask(redis, set);
    const pid_t pid = answer == "OK" ? server.pid() : 0;
    EXPECT_EQ(::write(says, &pid, sizeof pid), static_cast<ssize_t>(sizeof pid));
    Cancel never;
    const Result<void> slept = co_await loop.timers().sleep(std::chrono::hours(1), never);
    EXPECT_FALSE(slept.has_value());
}
/// Kills it -9; with `hung` its server is stopped first, and so survives the death signal.
void leave_orphan(const TempDir& state, bool hung) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const pid_t parent = ::fork();
    if (parent == 0) {
        test::on_loop(doomed_musher, state, ends[1]);
        ::_exit(0);
    }
    pid_t server = 0;
    ASSERT_EQ(::read(ends[0], &server, sizeof server), static_cast<ssize_t>(sizeof server));
    ASSERT_GT(server, 0);
    if (hung) ::kill(server, SIGSTOP);
    ::kill(parent, SIGKILL);
    ::waitpid(parent, nullptr, 0);
    ::close(ends[0]);
    ::close(ends[1]);
}
TEST(EmbeddedRedis, TakesOverFromAKilledMusher) {
    const TempDir state;
    leave_orphan(state, false);
    test::on_loop(find_and_stop, state);
}

Task<void> take_over_hung(Loop& loop, const TempDir& state) {
    EmbeddedRedisOptions options = options_for(state);
    options.patience = milliseconds(300);
    EmbeddedRedis server(loop, options);
    co_await expect_start(server);
    Redis redis(loop, server.target());
    Argv get{"GET", "k"};
    EXPECT_EQ(co_await ask(redis, get), "v");
    co_await redis.close();
    co_await server.stop();
}
TEST(EmbeddedRedis, EndsAHungServerOfAKilledMusher) {
    const TempDir state;
    leave_orphan(state, true);
    test::on_loop(take_over_hung, state);
}

TEST(EmbeddedRedis, NamesBothRemediesForAMissingServer) {
    const TempDir state;
    EmbeddedRedisOptions options = options_for(state);
    options.program = "no-such-redis-server";
    const Error error = failure(options);
    EXPECT_EQ(error.code, Errc::not_found);
    EXPECT_EQ(error.message, "no no-such-redis-server found to keep the jobs in");
    EXPECT_NE(error.hint.find("apt install redis-server"), std::string::npos);
    EXPECT_NE(error.hint.find("queue: { redis:"), std::string::npos);
}

TEST(EmbeddedRedis, NamesTheLengthOfItsSocketPath) {
    EmbeddedRedisOptions options;
    options.state = "/tmp/" + std::string(100, 'x');
    const Error error = failure(options);
    EXPECT_EQ(error.code, Errc::usage);
    EXPECT_NE(error.message.find("has 122 bytes; the system allows 107"), std::string::npos)
        << error.message;
}

TEST(EmbeddedRedis, SaysWhatTheServerSaidWhenItEnds) {
    const TempDir state;
    test::on_loop(write_and_stop, state);
    for (const auto& file : std::filesystem::directory_iterator(state / "redis/appendonlydir")) {
        if (file.path().string().ends_with(".incr.aof")) {
            std::ofstream(file.path(), std::ios::binary)
                << "*3\r\n$3\r\nSET\r\nrubbish and more\r\n";
        }
    }
    const Error error = failure(options_for(state));
    EXPECT_EQ(error.code, Errc::corrupt) << error.text();
    EXPECT_NE(error.message.find("exited with 1: Bad file format reading the append only file"),
              std::string::npos)
        << error.message;
}

/// The real server, behind a script.
EmbeddedRedisOptions scripted(const TempDir& state, const std::string& script) {
    EmbeddedRedisOptions options = options_for(state);
    options.program = state / "script";
    std::ofstream(options.program) << "#!/bin/sh\n" << script;
    ::chmod(options.program.c_str(), 0700);
    return options;
}
Task<void> start_killed(Loop& loop, const TempDir& state) {
    const std::string once = "mkdir $0.1 && kill -9 $$\nexec redis-server \"$@\"";
    EmbeddedRedis server(loop, scripted(state, once));
    co_await expect_start(server);
    co_await server.stop();
}
TEST(EmbeddedRedis, StartsAgainWhenItIsKilledAtItsStart) {
    const TempDir state;
    test::on_loop(start_killed, state);
    const Error error = failure(scripted(state, "echo >> $0.count; kill -9 $$"));
    EXPECT_NE(error.hint.find("try again (systemd"), std::string::npos) << error.hint;
    EXPECT_EQ(std::filesystem::file_size(state / "script.count"), 6u);
}
const std::string kSlow =
    "exec redis-server \"$@\" --key-load-delay 400 --loading-process-events-interval-bytes 1024";
Task<void> fill(Loop& loop, const TempDir& state) {
    EmbeddedRedis server(loop, options_for(state));
    co_await expect_start(server);
    Redis redis(loop, server.target());
    Argv many{"EVAL", "for i = 1, 3000 do redis.call('SET', 'k' .. i, i) end return 'OK'", "0"};
    EXPECT_EQ(co_await ask(redis, many), "OK");
    co_await redis.close();
    co_await server.stop();
}
Task<void> start_slowly(Loop& loop, const TempDir& state) {
    EmbeddedRedis server(loop, scripted(state, kSlow));
    co_await expect_start(server);
    Redis redis(loop, server.target());
    Argv get{"GET", "k3000"};
    EXPECT_EQ(co_await ask(redis, get), "3000");
    co_await redis.close();
    co_await server.stop();
}
Task<void> give_up_slowly(Loop& loop, const TempDir& state) {
    EmbeddedRedis server(loop, scripted(state, kSlow));
    Cancel cancel;
    const Deadline limit(loop.timers(), cancel, milliseconds(300));
    const Result<void> started = co_await server.start(cancel);
    EXPECT_EQ(started.error().code, Errc::timeout);
    EXPECT_EQ(server.pid(), 0);
}
TEST(EmbeddedRedis, WaitsForItsDataUnlessCancelled) {
    const TempDir state;
    test::on_loop(fill, state);
    test::on_loop(give_up_slowly, state);
    test::on_loop(start_slowly, state);
}

TEST(EmbeddedRedis, TellsAFullDiskFromABrokenFile) {
    const TempDir dir;
    // Redis 7.0.15's own words, of two lives.
    std::ofstream(dir / "log")
        << "7:M 21 Nov 2026 04:43:49.291 # Bad file format reading the append only file\n"
        << "9:C 21 Nov 2026 04:43:48.664 # oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo\n"
        << "9:C 21 Nov 2026 04:43:48.664 # Redis version=7.0.15, bits=64, just started\n"
        << "9:M 21 Nov 2026 04:43:48.664 # Server initialized\n"
        << "9:M 21 Nov 2026 04:43:48.664 # WARNING Memory overcommit must be enabled!\n";
    EXPECT_EQ(last_redis_complaints(dir / "log"), "");
    std::ofstream(dir / "log", std::ios::app)
        << "9:M 21 Nov 2026 04:43:49.291 # Short write while writing to the AOF file\n"
        << "9:M 21 Nov 2026 04:43:49.291 # Can't recover from AOF write error\n";
    const std::string said = last_redis_complaints(dir / "log");
    const Error error = redis_end_error("exited with 1", said);
    EXPECT_EQ(error.code, Errc::full);
    EXPECT_EQ(error.message,
              "the embedded redis-server exited with 1: Short write while writing to "
              "the AOF file; Can't recover from AOF write error");
    EXPECT_EQ(redis_end_error("x", "use redis-check-aof --fix").code, Errc::corrupt);
    EXPECT_EQ(redis_end_error("was killed by SIGKILL", "").code, Errc::unavailable);
    EXPECT_EQ(last_redis_complaints(dir / "none"), "");
}

Task<void> cancelled_start(Loop& loop, const TempDir& state) {
    EmbeddedRedis server(loop, options_for(state));
    Cancel cancel;
    cancel.request(Errc::cancelled, "never mind");
    const Result<void> started = co_await server.start(cancel);
    EXPECT_EQ(started.error().message, "never mind");
    EXPECT_EQ(server.pid(), 0);
    co_await server.stop();
}
TEST(EmbeddedRedis, GivesUpWhenCancelled) {
    const TempDir state;
    test::on_loop(cancelled_start, state);
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
}

TEST(StateLock, AdmitsOneAndNamesIt) {
    const TempDir dir;
    const std::string state = dir / "state";
    {
        const Result<StateLock> first = StateLock::take(state);
        ASSERT_TRUE(first.has_value());
        const Result<StateLock> second = StateLock::take(state);
        EXPECT_EQ(second.error().code, Errc::conflict);
        EXPECT_EQ(second.error().message, "the state directory " + state + " is used by process " +
                                              std::to_string(::getpid()));
        struct stat info{};
        EXPECT_EQ(::stat(state.c_str(), &info), 0);
        EXPECT_EQ(info.st_mode & 0777, 0700u);
    }
    EXPECT_TRUE(StateLock::take(state).has_value());
    EXPECT_EQ(StateLock::take("/no/such/place").error().code, Errc::not_found);
}

}  // namespace
}  // namespace musher
