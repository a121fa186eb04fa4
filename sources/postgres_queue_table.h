// A job table on its server: asks, ends, beats. See postgres_queue.h for what it all means.
#pragma once

#include <memory>
#include <optional>

#include "reactor/component/event.h"
#include "reactor/drivers/postgres_link.h"
#include "reactor/task/semaphore.h"
#include "sources/postgres_queue_sql.h"

namespace musher::postgres_queue {

/// The key and the claim in a row as events carry it; nothing when it has none.
std::optional<RowName> name_of(const Rules& rules, const Json& row);

/// On connections of its own, made when they are needed and again after they broke: one for
/// heartbeats, so that none waits behind a row that somebody has locked, and one for the rest.
/// Every call ends within kPatience (30 s), and a connect. Loop thread only.
class JobTable {
  public:
    JobTable(Loop& loop, PostgresTarget target, Rules rules, Holder holder);

    /// The statements, for the table as it is: `not_found` for a table or a configured column that
    /// is not there, named with the option in backticks.
    Task<Result<std::shared_ptr<const TableSql>>> sql(Cancel& cancel);
    /// Reads the columns anew at the next call: the table may have changed.
    void forget() { sql_.reset(); }

    /// One statement on any link within kPatience.
    static Task<Result<PostgresResult>> ask(Loop& loop, PostgresLink& link,
                                            PostgresStatement statement, Cancel& cancel);
    Task<Result<PostgresResult>> ask(PostgresStatement statement, Cancel& cancel);

    /// All or none. A row whose claim is not the one that is named, or that ended before, is left
    /// alone; when it is another's now, or gone, this is logged.
    Task<Result<void>> settle(std::vector<RowEnd> ends, Cancel& cancel);
    /// `not_found` unless the row failed, or runs, in this very claim.
    Task<Result<void>> recall(RowName row, Cancel& cancel);
    Task<Result<void>> beat(Cancel& cancel);

    const Rules& rules() const { return rules_; }
    const Holder& holder() const { return holder_; }
    const PostgresTarget& target() const { return target_; }

  private:
    struct Seat {
        explicit Seat(ReadyList& ready) : turn(ready, 1) {}
        Semaphore turn;
        std::unique_ptr<PostgresLink> link;
    };
    Task<Result<PostgresResult>> ask(Seat& seat, PostgresStatement statement, Cancel& cancel);
    Task<Result<void>> tell_strays(std::shared_ptr<const TableSql> sql, std::vector<RowEnd> left,
                                   Cancel& cancel);

    Loop& loop_;
    const PostgresTarget target_;
    const Rules rules_;
    const Holder holder_;
    Seat work_;
    Seat beats_;
    std::shared_ptr<const TableSql> sql_;
};

/// The types of the table's columns; fails as JobTable::sql does.
Result<ColumnTypes> read_types(const Rules& rules, const PostgresResult& columns);

}  // namespace musher::postgres_queue
