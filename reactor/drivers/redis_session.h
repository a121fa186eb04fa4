// RedisSession: keeps one RedisLink up. What travels on it is its owner's business.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "reactor/base/backoff.h"
#include "reactor/drivers/redis_link.h"
#include "reactor/drivers/redis_target.h"

namespace musher {

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

/// What `status` shows of a connection.
struct RedisStatus {
    RedisState state = RedisState::connecting;
    std::string server;             // host:port or path; the last one when there is none
    Error last_error = {};          // an empty message while connected
    std::uint64_t connections = 0;  // how often one was made
};

/// Dials, waits for the end of the link, backs off, dials again, until close(). With Sentinels the
/// master is looked up each time. Loop thread only.
class RedisSession {
  public:
    struct Owner {
        virtual ~Owner() = default;
        /// A new link, signed in, nothing in flight.
        virtual void link_up(RedisLink& link) = 0;
        /// It is gone, or a try failed; also called once at close.
        virtual void link_down(const Error& why) = 0;
    };
    /// Starts to dial at once, but calls the owner on a later turn only.
    RedisSession(Loop& loop, RedisTarget target, RedisOptions options, Owner& owner);
    RedisSession(const RedisSession&) = delete;
    ~RedisSession();
    Task<void> close();

    /// Null while there is no usable one.
    RedisLink* link() { return link_ && !link_->broken() ? link_.get() : nullptr; }
    /// Requested by close().
    const Cancel& stop() const { return stop_; }
    const RedisTarget& target() const { return target_; }
    const RedisOptions& options() const { return options_; }
    const RedisStatus& status() const { return status_; }

  private:
    Task<void> keep();
    Task<Result<std::unique_ptr<RedisLink>>> dial();
    Task<Error> serve(std::unique_ptr<RedisLink> link);
    void lost(Error why, bool was_connected);

    Loop& loop_;
    RedisTarget target_;
    RedisOptions options_;
    Owner& owner_;
    RedisStatus status_;
    std::unique_ptr<RedisLink> link_;
    Backoff backoff_;
    Cancel stop_;
    Scope scope_;
};

}  // namespace musher
