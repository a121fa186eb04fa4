// EmbeddedRedis: the private redis-server of a musher without `queue:`.
#pragma once

#include <memory>
#include <string>

#include "reactor/base/backoff.h"
#include "reactor/drivers/redis.h"
#include "reactor/loop/child.h"

namespace musher {

struct EmbeddedRedisOptions {
    std::string state;         // the state directory, absolute, locked by the caller (StateLock)
    bool fsync_always = true;  // of the append-only file; else every second
    std::string program = "redis-server";
    Duration patience = std::chrono::seconds(10);  // for each way to end a server: SHUTDOWN, TERM
};

/// Runs a redis-server under `<state>/redis/` (0700) on the unix socket `redis.sock` there, no TCP
/// port, append-only file on. It dies with musher, is started again when it dies alone, and
/// clients of target() only see a broken connection then. With `fsync_always`, kill -9 of either
/// and a power cut lose nothing that was answered; without it, up to two seconds of it (the
/// server holds writes back while an fsync runs). Loop thread only.
class EmbeddedRedis {
  public:
    EmbeddedRedis(Loop& loop, EmbeddedRedisOptions options);
    EmbeddedRedis(const EmbeddedRedis&) = delete;
    ~EmbeddedRedis();  // after stop(), or a start() that failed

    /// Ends a server left over by an earlier musher, starts one, returns when it has read its data
    /// and answers; one that is killed meanwhile is started again, some times. `usage`: the
    /// socket's path is too long; `not_found`: no redis-server, with both remedies; `unavailable`
    /// or `corrupt`: with what it said. Nothing is left behind then.
    Task<Result<void>> start(Cancel& cancel);
    /// Ends it cleanly and waits; call it last, when no client is left.
    Task<void> stop();

    RedisTarget target() const;
    pid_t pid() const { return child_ && !child_->ended() ? child_->pid() : 0; }
    /// How often it was started again, and why the last time.
    std::uint64_t restarts() const { return restarts_; }
    const Error& last_error() const { return last_error_; }
    /// Whether it is down, or has been until just now.
    bool falters() const;

  private:
    Task<Result<void>> make_folder();
    Task<Result<void>> come_up(Cancel& cancel);
    Task<Result<void>> pause_after(const Error& end, Cancel& cancel);
    Task<Result<void>> launch();
    Task<Result<void>> wait_until_ready(Cancel& cancel);
    Task<void> watch_start(Cancel& attempt);
    Task<Result<void>> knock(Cancel& attempt);
    Task<void> tell_progress(Cancel& cancel);
    Task<void> supervise();
    Task<Error> reason_of_end();
    Task<void> shut_down();
    ChildSpec spec() const;
    SocketAddress socket() const;
    std::string folder() const { return options_.state + "/redis"; }
    std::string path(const char* name) const { return folder() + "/" + name; }

    Loop& loop_;
    EmbeddedRedisOptions options_;
    std::unique_ptr<Child> child_;
    bool killed_ = false;  // by a signal: its last end
    std::uint64_t restarts_ = 0;
    Error last_error_;
    Instant since_{};  // it runs, or the try to run it
    Backoff backoff_;
    Cancel stop_;
    Scope scope_;
};

}  // namespace musher
