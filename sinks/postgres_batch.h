// PostgresBatch: rows of jobs that run at the same time go into a table with one statement.
#pragma once

#include <list>
#include <string>
#include <vector>

#include "reactor/base/json.h"
#include "reactor/drivers/postgres.h"

namespace musher {

/// One row and what is done with it: INSERT HEAD VALUES (…) TAIL.
struct PostgresRow {
    PostgresRow(const std::string& table, const Json& row,
                const std::vector<std::string>& conflict);
    std::string head;
    std::string tail;
    PostgresParams values;
    PostgresParams key;  // the values of the columns of `conflict`
    std::size_t bytes = 0;
};
/// Rows with the same head and tail, in one statement.
PostgresStatement insert_of(const std::vector<const PostgresRow*>& rows);

/// While a statement is under way, rows gather; then they go together, in the order they came.
/// Each caller gets its own answer: a row that the server refuses takes no other with it. Two of
/// the same key never share a statement, and one without a key goes by itself. Loop thread only.
class PostgresBatch {
  public:
    /// A request of `cancel` takes the row back, unless it came too late: then it was written.
    Task<Result<void>> write(Loop& loop, Postgres& server, const PostgresRow& row, Cancel& cancel);

  private:
    struct Entry;
    std::vector<Entry*> take();
    Task<void> send();

    std::list<Entry*> waiting_;  // each in the frame of its write()
    bool sending_ = false;
};

}  // namespace musher
