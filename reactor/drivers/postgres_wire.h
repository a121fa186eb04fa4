// PostgresWire: libpq's socket under uv_poll. Knows nothing of what travels on it.
#pragma once

#include <deque>
#include <optional>
#include <string>

#include "reactor/loop/poll.h"

struct pg_conn;

namespace musher {

struct PostgresNotification {
    std::string channel;
    std::string payload;
    int pid = 0;  // of the server process that sent it
};

/// Reads while idle (notifications, the other side's hang-up) and while somebody waits in
/// moved(); otherwise what comes stays in the kernel, so a slow reader of a COPY slows the server
/// down, not this process. Loop thread only.
class PostgresWire {
  public:
    /// Takes over a connected, non-blocking connection.
    PostgresWire(Loop& loop, pg_conn* connected, std::string server);
    PostgresWire(const PostgresWire&) = delete;
    ~PostgresWire();

    /// Null once broken.
    pg_conn* conn() const { return conn_; }
    Loop& loop() const { return loop_; }
    const std::string& server() const { return server_; }
    bool broken() const { return conn_ == nullptr; }
    const Error& why() const { return why_; }

    /// An exchange (see PostgresExchange) is under way: at most one.
    void begin();
    void end();
    bool in_exchange() const { return in_exchange_; }

    /// Hands what libpq holds to the kernel; whatever it does not take leaves as soon as it does.
    void flush();
    /// Something is still to leave.
    bool unsent() const { return unsent_; }
    /// Until bytes came, bytes left, or the connection broke.
    Task<Result<void>> moved(Cancel& cancel);

    /// What was heard and not yet taken, oldest first, at least one. While idle no more than
    /// some thousands are held: the rest waits in the server. `unavailable` after the end.
    Task<Result<std::vector<PostgresNotification>>> notifications(Cancel& cancel);

    /// While idle: looks whether the other side has hung up since the loop's last turn.
    bool sound();
    /// Ends the connection: everybody's wait ends.
    void drop(Error why);
    Task<Result<void>> ended(Cancel& cancel);

  private:
    void on_poll(int status, int events);
    bool consume();
    void hear();
    void watch();
    void resume();

    Loop& loop_;
    pg_conn* conn_;
    std::string server_;
    std::optional<Poll> poll_;
    int watched_ = 0;  // the events that poll_ waits for
    bool unsent_ = false;
    bool paused_ = false;  // bytes came that nobody wants yet
    bool in_exchange_ = false;
    std::deque<PostgresNotification> heard_;
    Error why_;
    Waiters moved_;
    Waiters hearers_;
    Waiters ended_;
};

}  // namespace musher
