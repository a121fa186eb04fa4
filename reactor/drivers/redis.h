// Redis: one connection that mends itself and that many coroutines share.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "reactor/drivers/redis_session.h"

namespace musher {

struct RedisScript {
    std::string name;  // for messages
    std::string source;
    std::string sha1;  // 40 hex digits
    static RedisScript of(std::string name, std::string source);
};

/// Commands are pipelined: those of one loop turn leave in one write, answers come in order.
/// Issued while disconnected, a command waits up to `patience`; in flight when the connection
/// breaks, it fails with `unavailable` and may or may not have had its effect.
/// Nothing that blocks (no BLPOP here: it would hold everybody's answers). Loop thread only.
class Redis : private RedisSession::Owner {
  public:
    /// Starts to connect at once.
    Redis(Loop& loop, RedisTarget target, RedisOptions options = {});
    Redis(const Redis&) = delete;
    ~Redis() override = default;  // after close()

    /// An error answer becomes an Error (see redis_error). A Cancel before the command was sent
    /// means that it has no effect; after that the answer is dropped when it comes.
    Task<Result<RedisReply>> command(std::vector<std::string> argv, Cancel& cancel);
    /// EVALSHA; EVAL when the server does not know the script (any more).
    Task<Result<RedisReply>> eval(const RedisScript& script, std::vector<std::string> keys,
                                  std::vector<std::string> args, Cancel& cancel);
    /// Commands still out fail with `unavailable`. Returns when nothing of it runs any more.
    Task<void> close() { return session_.close(); }

    const RedisTarget& target() const { return session_.target(); }
    const RedisStatus& status() const { return session_.status(); }
    RedisState state() const { return status().state; }
    /// Why the server cannot be used just now; empty while it can, and before the first try ended.
    std::string trouble() const { return status().last_error.text(); }

  private:
    void link_up(RedisLink& link) override;
    void link_down(const Error& why) override;
    Task<Result<RedisReply>> round_trip(const std::vector<std::string>& argv, Cancel& cancel);
    void submit(const std::shared_ptr<RedisCall>& call);
    void fail_waiting(const Error& why);
    void watch();
    void enforce();
    void expire_waiting(Instant now);

    Loop& loop_;
    std::deque<std::shared_ptr<RedisCall>> waiting_;  // not sent yet, oldest first
    Timers::Alarm alarm_;
    RedisSession session_;
};

}  // namespace musher
