// Postgres: the connections to one database that the steps of one reactor share.
#pragma once

#include <deque>

#include "reactor/base/backoff.h"
#include "reactor/drivers/postgres_link.h"
#include "reactor/task/doorbell.h"
#include "reactor/task/semaphore.h"

namespace musher {

struct PostgresOptions {
    Duration patience = std::chrono::seconds(5);     // a caller's wait while no server is there
    Duration idle = std::chrono::minutes(5);         // unused for so long: closed
    Duration rollback = std::chrono::seconds(5);     // for an open transaction left behind
    Duration backoff = milliseconds(50);             // between tries: doubles, full jitter …
    Duration backoff_cap = std::chrono::seconds(2);  // … up to this
};

/// What `status` and /health show.
struct PostgresStatus {
    std::size_t open = 0;  // links, leased or idle
    std::size_t leased = 0;
    std::uint64_t dialled = 0;  // connections made so far
    Error last_error = {};      // an empty message while servers answer
};

/// At most `target.pool` links, opened when needed; who comes when all are leased waits in turn.
/// While the servers cannot be reached, callers wait up to `patience` for one to come back, then
/// everybody fails with `unavailable` until a try, made after a backoff, succeeds. Loop thread
/// only.
class Postgres {
  public:
    Postgres(Loop& loop, PostgresTarget target, PostgresOptions options = {});
    Postgres(const Postgres&) = delete;
    ~Postgres();  // after close()

    /// A link of one's own, for a transaction. Given back by its destructor: an open transaction is
    /// rolled back first, a broken link is thrown away. What a session keeps (SET, temporary
    /// tables, advisory locks) has to be undone by who did it.
    class Lease {
      public:
        Lease() = default;
        Lease(Lease&& other) noexcept { *this = std::move(other); }
        Lease& operator=(Lease&& other) noexcept;
        ~Lease() { give_back(); }
        PostgresLink* operator->() const { return link_.get(); }
        PostgresLink& operator*() const { return *link_; }

      private:
        friend class Postgres;
        explicit Lease(Postgres& owner) : owner_(&owner) { ++owner.users_; }
        void give_back();
        Postgres* owner_ = nullptr;
        std::unique_ptr<PostgresLink> link_;
        Semaphore::Permit permit_;
    };
    Task<Result<Lease>> lease(Cancel& cancel);
    /// One statement on any free link; not repeated when the link breaks under it.
    Task<Result<PostgresResult>> query(PostgresStatement statement, Cancel& cancel);

    /// Who waits for a link fails with `unavailable`. Returns when all leases are back and nothing
    /// of it runs any more.
    Task<void> close();

    const PostgresTarget& target() const { return target_; }
    const PostgresStatus& status() const { return status_; }
    /// Why the servers cannot be used, as far as known; empty: they can.
    std::string trouble() const { return status_.last_error.text(); }
    /// One try to end a trouble, when one is due; nothing otherwise.
    Task<void> retry(Cancel& cancel);
    /// "3 connections, 1 in use", or what is wrong. No secrets.
    std::string status_text() const;

  private:
    struct Idle {
        std::unique_ptr<PostgresLink> link;
        Instant since;
    };
    std::unique_ptr<PostgresLink> take_idle();
    Task<Result<std::unique_ptr<PostgresLink>>> connect(Cancel& cancel);
    Task<Result<void>> wait_turn(Instant limit, Cancel& cancel);
    void failed(const Error& why);
    void take_back(std::unique_ptr<PostgresLink> link, Semaphore::Permit permit);
    Task<void> mend(std::unique_ptr<PostgresLink> link, Semaphore::Permit permit);
    void keep(std::unique_ptr<PostgresLink> link);
    void forget(std::unique_ptr<PostgresLink> link);
    void sweep();

    Loop& loop_;
    PostgresTarget target_;
    PostgresOptions options_;
    PostgresStatus status_;
    Semaphore free_;
    std::deque<Idle> idle_;  // the longest unused in front
    Timers::Alarm alarm_;
    Backoff backoff_;
    Instant next_try_{};
    Instant down_since_{};
    std::size_t users_ = 0;  // leases, and who waits for one
    Doorbell left_;
    Cancel stop_;
    Scope scope_;
};

}  // namespace musher
