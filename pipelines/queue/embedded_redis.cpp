#include "pipelines/queue/embedded_redis.h"

#include "pipelines/queue/embedded_redis_folder.h"
#include "pipelines/queue/embedded_redis_leftover.h"
#include "pipelines/queue/embedded_redis_tail.h"
#include "reactor/base/log.h"
#include "reactor/drivers/redis_dial.h"
#include "reactor/loop/offload.h"

namespace musher {

namespace {
constexpr std::size_t kOutputBytes = 4096;    // what it says before its log file is open
constexpr std::chrono::seconds kProgress{2};  // between words on a long load
constexpr std::chrono::seconds kDeaf{30};     // without any answer: it hangs
constexpr int kStartTries = 6;                // some three seconds in all
constexpr const char* kStartAgain =
    "try again (systemd starts musher again by itself); redis/redis.log in `state` may say more";
constexpr std::chrono::seconds kStable{10};  // a server that lived so long was a good one

Error missing_program(const std::string& program) {
    return Error(Errc::not_found, "no " + program + " found to keep the jobs in",
                 "apt install redis-server, or name a Redis of your own in musher.yml: queue: { "
                 "redis: redis://HOST:6379/0 }");
}

}  // namespace

EmbeddedRedis::EmbeddedRedis(Loop& loop, EmbeddedRedisOptions options)
    : loop_(loop),
      options_(std::move(options)),
      backoff_(milliseconds(100), std::chrono::seconds(5)),
      scope_("embedded_redis", loop.ready(), loop.clock(), &loop.root()) {}

EmbeddedRedis::~EmbeddedRedis() { MUSHER_CHECK(!child_ || child_->ended()); }

RedisTarget EmbeddedRedis::target() const {
    RedisTarget target;
    target.unix_path = path("redis.sock");
    return target;
}

SocketAddress EmbeddedRedis::socket() const {
    Result<SocketAddress> address = SocketAddress::unix_path(path("redis.sock"));
    MUSHER_CHECK(address.has_value());  // start() has looked
    return std::move(*address);
}

ChildSpec EmbeddedRedis::spec() const {
    ChildSpec spec;
    spec.argv = {options_.program,
                 "--port",
                 "0",
                 "--unixsocket",
                 path("redis.sock"),
                 "--unixsocketperm",
                 "700",
                 "--dir",
                 folder(),
                 "--daemonize",
                 "no",
                 "--save",
                 "",
                 "--appendonly",
                 "yes",
                 "--appendfsync",
                 options_.fsync_always ? "always" : "everysec",
                 "--aof-load-truncated",
                 "no",
                 "--hz",
                 "1",
                 "--maxmemory-policy",
                 "noeviction",
                 "--loglevel",
                 "warning",
                 "--logfile",
                 path("redis.log")};
    spec.out = ChildOutput::capture(kOutputBytes);
    spec.err = ChildOutput::capture(kOutputBytes);
    spec.grace = options_.patience;
    spec.server = true;
    return spec;
}

Task<Result<void>> EmbeddedRedis::start(Cancel& cancel) {
    MUSHER_CO_DO(SocketAddress::unix_path(path("redis.sock")));
    MUSHER_CO_DO(co_await make_folder());
    const SocketAddress where = socket();
    MUSHER_CO_DO(co_await end_leftover_redis(loop_, where, options_.patience, cancel));
    Result<void> ready = co_await come_up(cancel);
    if (!ready) {
        if (child_) co_await child_->stop();
        Error why = ready.error();
        if (why.code == Errc::unavailable && why.hint.empty()) why.hint = kStartAgain;
        co_return fail(std::move(why));
    }
    log::info("embedded_redis.ready", Json{{"pid", pid()}, {"socket", path("redis.sock")}});
    scope_.spawn("supervise", supervise());
    co_return Result<void>();
}

/// Killed at its start (no memory, somebody's hand) it is started again, as it is later.
Task<Result<void>> EmbeddedRedis::come_up(Cancel& cancel) {
    for (int tries = 1;; ++tries) {
        MUSHER_CO_DO(co_await launch());
        Result<void> ready = co_await wait_until_ready(cancel);
        if (ready || cancel.requested() || tries == kStartTries) co_return ready;
        if (is_tail_cut_short(ready.error())) {
            MUSHER_CO_DO(co_await take_off_cut_tail(loop_, folder(), cancel));
        } else if (killed_) {
            MUSHER_CO_DO(co_await pause_after(ready.error(), cancel));
        } else {
            co_return ready;
        }
    }
}

Task<Result<void>> EmbeddedRedis::pause_after(const Error& end, Cancel& cancel) {
    const Duration pause = backoff_.next();
    log::error("embedded_redis.ended",
               Json{{"reason", end.text()}, {"again_in", format_duration(pause)}});
    co_return co_await loop_.timers().sleep(pause, cancel);
}

Task<Result<void>> EmbeddedRedis::make_folder() {
    const std::string where = folder();
    const std::string log = path("redis.log");
    auto work = [&] { return prepare_redis_folder(where, log); };
    co_return co_await offload(loop_, work);
}

Task<Result<void>> EmbeddedRedis::launch() {
    const ChildSpec server = spec();
    Cancel never;  // to be stopped it must have started
    Result<std::unique_ptr<Child>> child = co_await Child::start(loop_, server, never);
    if (!child && child.error().code == Errc::not_found) {
        co_return fail(missing_program(options_.program));
    }
    MUSHER_CO_TRY(child_, std::move(child));
    killed_ = false;
    co_return Result<void>();
}

Task<Result<void>> EmbeddedRedis::wait_until_ready(Cancel& cancel) {
    Cancel attempt(cancel);
    Scope scope("start", loop_.ready(), loop_.clock(), &scope_);
    scope.spawn("process", watch_start(attempt));
    const Result<void> ready = co_await knock(attempt);
    attempt.request();
    co_await scope.join();
    if (!ready && child_->ended()) {
        Error why = co_await reason_of_end();
        co_return fail(std::move(why));
    }
    co_return ready;
}

Task<void> EmbeddedRedis::watch_start(Cancel& attempt) {
    const Result<void> ended = co_await child_->wait(attempt);
    if (ended) attempt.request(Errc::unavailable, "it ended");
}

/// A server with much data answers LOADING for minutes; one that says nothing at all hangs.
Task<Result<void>> EmbeddedRedis::knock(Cancel& attempt) {
    const RedisTarget where = target();
    Instant heard = loop_.clock().now();
    Instant told = heard;
    Duration pause = milliseconds(2);
    for (;;) {
        Cancel look(attempt);
        const Deadline limit(loop_.timers(), look, kProgress);
        const Result<std::unique_ptr<RedisLink>> link = co_await redis_dial(loop_, where, look);
        if (link) co_return Result<void>();
        if (attempt.requested()) co_return fail(attempt.error());
        const Instant now = loop_.clock().now();
        if (link.error().message.find("LOADING") != std::string::npos) heard = now;
        if (heard == now && now - told >= kProgress) {
            told = now;
            co_await tell_progress(look);
        }
        if (now - heard >= kDeaf) {
            co_return fail(Errc::unavailable, "the embedded redis-server runs but does not answer");
        }
        const Result<void> slept = co_await loop_.timers().sleep(pause, attempt);
        pause = std::min<Duration>(pause * 2, milliseconds(100));
    }
}

Task<void> EmbeddedRedis::tell_progress(Cancel& cancel) {
    const SocketAddress where = socket();
    Result<std::unique_ptr<RedisLink>> link = co_await RedisLink::connect(loop_, where, cancel);
    if (!link) co_return;
    std::vector<std::string> info;
    info.emplace_back("INFO");
    info.emplace_back("persistence");
    const Result<RedisReply> said = co_await (*link)->ask(std::move(info), cancel);
    constexpr std::string_view kName = "loading_loaded_perc:";
    const std::size_t at = said ? said->text.find(kName) : std::string::npos;
    if (at == std::string::npos) co_return;
    const std::size_t from = at + kName.size();
    const std::string percent = said->text.substr(from, said->text.find('\r', from) - from);
    log::info("embedded_redis.loading", Json{{"percent", percent}});
}

Task<void> EmbeddedRedis::supervise() {
    since_ = loop_.clock().now();
    Result<void> launched;
    for (;;) {
        if (launched) {
            const Result<void> ended = co_await child_->wait(stop_);
            if (!ended) co_return;
            last_error_ = co_await reason_of_end();
            if (is_tail_cut_short(last_error_)) {
                const Result<void> mended = co_await take_off_cut_tail(loop_, folder(), stop_);
                if (!mended) last_error_ = mended.error();
            }
        } else {
            last_error_ = launched.error();
        }
        if (loop_.clock().now() - since_ > kStable) backoff_.reset();
        const Result<void> slept = co_await pause_after(last_error_, stop_);
        if (!slept) co_return;
        ++restarts_;
        since_ = loop_.clock().now();
        launched = co_await launch();
        if (launched) log::info("embedded_redis.restarted", Json{{"pid", pid()}});
    }
}

Task<Error> EmbeddedRedis::reason_of_end() {
    const ChildExit exit = child_->take_exit();
    killed_ = exit.signal != 0;
    const std::string log = path("redis.log");
    const std::string where = folder();
    const bool killed = killed_;
    auto work = [&] {
        std::string said = last_redis_complaints(log);
        // Then it cannot write its last words either.
        return said.empty() && !killed && is_disk_full(where)
                   ? "No space left on device for " + where
                   : said;
    };
    std::string said = co_await offload(loop_, work);
    if (said.empty()) said = exit.err.empty() ? exit.out : exit.err;
    while (!said.empty() && said.back() == '\n') said.pop_back();
    co_return redis_end_error(exit.text(), said);
}

bool EmbeddedRedis::falters() const {
    if (last_error_.message.empty()) return false;
    return pid() == 0 || loop_.clock().now() - since_ < kStable;
}

/// SHUTDOWN acts at once; TERM is only seen by the server's once-a-second timer.
Task<void> EmbeddedRedis::shut_down() {
    const SocketAddress where = socket();
    Cancel patience;
    const Deadline limit(loop_.timers(), patience, options_.patience);
    Result<std::unique_ptr<RedisLink>> link = co_await RedisLink::connect(loop_, where, patience);
    if (!link) co_return;
    (*link)->post({"SHUTDOWN", "NOSAVE"});
    const Result<void> ended = co_await child_->wait(patience);
    if (!ended) log::warning("embedded_redis.stuck", Json{{"pid", pid()}});
}

Task<void> EmbeddedRedis::stop() {
    stop_.request();
    co_await scope_.join();
    if (!child_) co_return;
    if (!child_->ended()) co_await shut_down();
    co_await child_->stop();
}

}  // namespace musher
