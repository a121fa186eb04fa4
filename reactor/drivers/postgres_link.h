// PostgresLink: one connection to one PostgreSQL server, from sign-in to its end. Never reconnects.
#pragma once

#include <map>

#include "reactor/drivers/postgres_exchange.h"
#include "reactor/drivers/postgres_target.h"

namespace musher {

/// One question at a time: whoever shares a link takes turns. `notifications` may be waited for
/// meanwhile. Every call here: a request of its Cancel before anything was sent has no effect on
/// the server; after that the server is asked to stop, and when it does not within seconds, the
/// link is dropped. A server's refusal is an Error by its SQLSTATE (see postgres_error); a broken
/// link is `unavailable`, and the statement may or may not have had its effect. Loop thread only.
///
/// Not on the loop: every step of connecting (password file, certificates, the hashing of SCRAM)
/// and cancel requests. What remains: a request under way holds a pool thread until the server
/// has taken it, or until tcp_user_timeout when its machine is gone.
class PostgresLink {
  public:
    /// Looks the names up, tries every address of every server within `target.dial` altogether.
    /// `unavailable`, `denied` (password, certificate), or the Cancel's reason.
    static Task<Result<std::unique_ptr<PostgresLink>>> dial(Loop& loop,
                                                            const PostgresTarget& target,
                                                            Cancel& cancel);
    /// Of an open connection: what dial() ends with.
    PostgresLink(Loop& loop, pg_conn* connected, std::string server)
        : wire_(loop, connected, std::move(server)) {}

    /// A `kept` statement is prepared the first time; not for use inside a transaction.
    Task<Result<PostgresResult>> query(PostgresStatement statement, Cancel& cancel);
    /// The same row by row, for results of any size: the last result has no rows. An error of
    /// `on_row` stops the statement on the server, and is the end.
    using OnRow = PostgresExchange::OnRow;
    Task<Result<PostgresResult>> each_row(PostgresStatement statement, const OnRow& on_row,
                                          Cancel& cancel);
    /// All in one round trip and, unless a transaction is open, in one of its own: all or nothing.
    /// The results in order; the first failure says which statement it was.
    Task<Result<std::vector<PostgresResult>>> batch(std::vector<PostgresStatement> statements,
                                                    Cancel& cancel);
    /// The server reads it and finds its tables and columns, and does nothing. How many values it
    /// wants: the highest of $1, $2, …
    Task<Result<int>> parse(std::string sql, Cancel& cancel);
    /// Statements with semicolons between; the last one's result. No parameters.
    Task<Result<PostgresResult>> script(std::string sql, Cancel& cancel);
    /// COMMIT that fails (`conflict`) where PostgreSQL would quietly roll back.
    Task<Result<void>> commit(Cancel& cancel);

    /// Listened to until the link ends or unlisten(). Nothing is heard of what came before.
    Task<Result<void>> listen(std::string channel, Cancel& cancel);
    Task<Result<void>> unlisten(std::string channel, Cancel& cancel);
    /// At least one; `unavailable` when the link has ended. For one coroutine.
    Task<Result<std::vector<PostgresNotification>>> notifications(Cancel& cancel) {
        return wire_.notifications(cancel);
    }

    enum class Transaction { none, open, failed, unknown };
    /// `unknown` on a broken link.
    Transaction transaction() const;
    /// Wire-level parts for COPY.
    PostgresWire& wire() { return wire_; }

    void drop(Error why) { wire_.drop(std::move(why)); }
    Task<Result<void>> ended(Cancel& cancel) { return wire_.ended(cancel); }
    bool broken() const { return wire_.broken(); }
    const Error& why() const { return wire_.why(); }
    const std::string& server() const { return wire_.server(); }
    /// The server's process; 0 when broken.
    int backend() const;

  private:
    Task<Result<std::string>> keep(const PostgresStatement& statement, Cancel& cancel);
    Result<void> send(const PostgresStatement& statement, const std::string& name = {});
    Result<void> sent(int taken);
    Task<Result<void>> on_channel(std::string_view verb, const std::string& channel,
                                  Cancel& cancel);

    PostgresWire wire_;
    std::map<std::string, std::string> kept_;  // names of statements, by text; empty: sent as it is
};

}  // namespace musher
