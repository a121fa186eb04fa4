// RedisLink: one socket to one Redis server, from connect to its end. Never reconnects.
#pragma once

#include <sys/types.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "reactor/base/fd.h"
#include "reactor/drivers/redis_reply.h"
#include "reactor/loop/poll.h"
#include "reactor/loop/resolve.h"

namespace musher {

/// One command on its way; shared by its caller and the connection.
struct RedisCall {
    RedisCall(Loop& loop, const std::vector<std::string>& argv);
    /// The first answer stays.
    void finish(Result<RedisReply> with);

    std::string verb;  // for messages: GET, EVALSHA
    std::string wire;
    Instant issued;
    std::optional<Result<RedisReply>> answer;  // a server's error: a reply of kind `error`
    bool abandoned = false;                    // nobody waits any more
    Waiters done;
};

/// Loop thread only.
class RedisLink {
  public:
    /// A connected socket, nothing sent yet. `unavailable` (refused, no such socket, timeout of
    /// the cancel), `denied` (a socket file without permission).
    static Task<Result<std::unique_ptr<RedisLink>>> connect(Loop& loop, SocketAddress to,
                                                            Cancel& cancel);
    RedisLink(const RedisLink&) = delete;
    ~RedisLink();

    /// Queues the command; all of one loop turn leave in one write.
    void send(std::shared_ptr<RedisCall> call);
    /// Sends a command and waits for its answer; a server's error becomes an Error.
    Task<Result<RedisReply>> ask(std::vector<std::string> argv, Cancel& cancel);
    /// Sends without expecting an answer of its own: for a connection that listens.
    void post(const std::vector<std::string>& argv);
    /// From now on every answer goes to `hear`; it may drop the link, not destroy it.
    void listen(std::function<void(const RedisReply&)> hear) { hear_ = std::move(hear); }

    /// Ends the connection; what is in flight fails with `why`, as `unavailable`.
    void drop(Error why);
    /// Suspends until the connection has ended.
    Task<Result<void>> ended(Cancel& cancel);
    bool broken() const { return broken_; }
    const Error& why() const { return why_; }
    const std::string& server() const { return server_; }
    /// The process at the other end of a unix socket; 0 when unknown.
    pid_t peer_pid() const;

    const std::deque<std::shared_ptr<RedisCall>>& in_flight() const { return in_flight_; }
    /// When the server was last heard, or began to owe an answer.
    Instant last_progress() const { return last_progress_; }

  private:
    RedisLink(Loop& loop, Fd fd, Poll poll, std::string server);
    void on_poll(int status, int events);
    void schedule_flush();
    void flush();
    void read();
    void take(RedisReply reply);
    void watch_socket();

    Loop& loop_;
    Fd fd_;  // after poll_ in destruction order: the handle goes first
    Poll poll_;
    UvOwner<uv_prepare_t> prepare_;  // runs once per turn, before the loop sleeps
    std::string server_;
    RedisDecoder decoder_;
    std::string out_;
    std::size_t sent_ = 0;  // of out_
    bool blocked_ = false;  // the socket takes no more for now
    std::deque<std::shared_ptr<RedisCall>> in_flight_;
    std::function<void(const RedisReply&)> hear_;
    Instant last_progress_;
    bool broken_ = false;
    Error why_;
    Waiters ended_;
};

}  // namespace musher
