// The statements of a postgres_queue, as text. Names are quoted, values are parameters, `where` and
// `order` are the operator's own SQL. Time is the server's alone.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "reactor/drivers/postgres_result.h"
#include "sources/postgres_queue_rules.h"

namespace musher::postgres_queue {

/// Column → type, as SQL writes it.
using ColumnTypes = std::map<std::string, std::string, std::less<>>;

/// Who holds rows: one source of one reactor.
struct Holder {
    std::string id;  // a UUID, so that it fits text and uuid
    std::string node;
    std::string pipeline;
};

/// A row, by its key and the claim that gave it out.
struct RowName {
    std::string id;
    PostgresParam token;  // nothing: the table has none
};

/// What a row becomes.
struct RowEnd {
    enum class Kind { done, failed, waiting };
    RowName row;
    Kind kind = Kind::done;
    std::string error;
};

/// Of a table whose columns are known.
class TableSql {
  public:
    TableSql(Rules rules, Holder holder, ColumnTypes types);

    /// Up to `most` waiting rows become running; all their columns, in `order`, and kPlace.
    PostgresStatement claim(std::size_t most, const std::string& token) const;
    /// The holder's running rows by key, after `after`: all their columns. Without a column for
    /// the reactor: everybody's.
    PostgresStatement held(const PostgresParam& after, std::size_t most) const;
    /// Up to `most` rows of dead reactors of this pipeline become the holder's; all their columns.
    PostgresStatement adopt(std::size_t most) const;
    /// Counts one more try of running rows.
    PostgresStatement count_try(const std::vector<RowName>& rows) const;
    /// Ends running rows; the keys, as text, of those that were still of that claim.
    PostgresStatement settle(const std::vector<RowEnd>& ends) const;
    /// Key, token and status, as text, of the rows with these keys.
    PostgresStatement look(const std::vector<RowName>& rows) const;
    /// A failed row runs again, and is the holder's; its key.
    PostgresStatement recall(const RowName& row) const;
    /// The holder is alive.
    PostgresStatement beat() const;

    const Rules& rules() const { return rules_; }
    const ColumnTypes& types() const { return types_; }
    static constexpr const char* kPlace = "musher_place";

  private:
    /// "name" and $n cast to its type.
    std::string cast(const std::string& value, const std::string& column) const;
    std::string same_row() const;
    std::string order() const;
    std::string end_changes() const;

    const Rules rules_;
    const Holder holder_;
    const ColumnTypes types_;
    const std::string table_;
};

/// Name and type of each column of the table, $1; an error when there is no such table.
PostgresStatement columns_of(const Rules& rules);

}  // namespace musher::postgres_queue
