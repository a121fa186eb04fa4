// Redis: one connection that mends itself and that many coroutines share.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "reactor/base/backoff.h"
#include "reactor/drivers/redis_reply.h"
#include "reactor/drivers/redis_target.h"
#include "reactor/loop/loop.h"

namespace musher {

class RedisLink;
struct RedisCall;

struct RedisScript {
    std::string name;  // for messages
    std::string source;
    std::string sha1;  // 40 hex digits
    static RedisScript of(std::string name, std::string source);
};

struct RedisOptions {
    Duration dial = std::chrono::seconds(5);       // DNS, connect, AUTH, role: one try
    Duration patience = std::chrono::seconds(5);   // a command's wait for a connection
    Duration silence = std::chrono::seconds(10);   // no answer for so long: the connection is dead
    Duration deadline = std::chrono::seconds(30);  // a command's age, whatever the reason
    Duration backoff = milliseconds(50);           // between tries: doubles, full jitter …
    Duration backoff_cap = std::chrono::seconds(2);  // … up to this
};

enum class RedisState { connecting, connected, waiting, closed };
std::string_view state_name(RedisState state);

/// Commands are pipelined: those of one loop turn leave in one write, answers come in order.
/// Issued while disconnected, a command waits up to `patience`; in flight when the connection
/// breaks, it fails with `unavailable` and may or may not have had its effect.
/// Never blocks (no BLPOP here: it would hold everybody's answers). Loop thread only.
class Redis {
  public:
    /// Starts to connect at once.
    Redis(Loop& loop, RedisTarget target, RedisOptions options = {});
    Redis(const Redis&) = delete;
    ~Redis();  // after close()

    /// An error answer becomes an Error (see redis_error). A Cancel before the command was sent
    /// means that it has no effect; after that the answer is dropped when it comes.
    Task<Result<RedisReply>> command(std::vector<std::string> argv, Cancel& cancel);
    /// EVALSHA; EVAL when the server does not know the script (any more).
    Task<Result<RedisReply>> eval(const RedisScript& script, std::vector<std::string> keys,
                                  std::vector<std::string> args, Cancel& cancel);
    /// Commands still out fail with `unavailable`. Returns when nothing of it runs any more.
    Task<void> close();

    RedisState state() const { return state_; }
    const RedisTarget& target() const { return target_; }
    /// host:port or path of the connection, the last one when there is none.
    const std::string& server() const { return server_; }
    /// Why there is no connection; an empty message while there is one.
    const Error& last_error() const { return last_error_; }
    /// How often a connection was made.
    std::uint64_t connections() const { return connections_; }

  private:
    Task<Result<RedisReply>> round_trip(std::vector<std::string> argv, Cancel& cancel);
    Task<void> keep();
    void adopt(std::unique_ptr<RedisLink> link);
    void lose(Error why);
    void submit(const std::shared_ptr<RedisCall>& call);
    void fail_waiting(const Error& why);
    void watch();
    void enforce();

    Loop& loop_;
    RedisTarget target_;
    RedisOptions options_;
    RedisState state_ = RedisState::connecting;
    std::string server_;
    Error last_error_;
    std::uint64_t connections_ = 0;
    std::unique_ptr<RedisLink> link_;
    std::deque<std::shared_ptr<RedisCall>> waiting_;  // not sent yet, oldest first
    Timers::Alarm alarm_;
    Backoff backoff_;
    Cancel stop_;
    Scope scope_;
};

}  // namespace musher
