// COPY in and out, chunk by chunk, at the speed of the slower side.
#pragma once

#include "reactor/drivers/postgres_link.h"

namespace musher {

/// `PostgresCopyIn copy(link, cancel); start; write…; finish`. Holds the link from start() to the
/// end of finish() or abort(); destroyed between the two it drops the link, and the server forgets
/// the rows. A request of `cancel` aborts. Loop thread only.
class PostgresCopyIn {
  public:
    PostgresCopyIn(PostgresLink& link, Cancel& cancel) : link_(link), cancel_(cancel) {}

    /// `sql`: COPY … FROM STDIN, in any format.
    Task<Result<void>> start(std::string sql);
    /// Bytes of the copy format, cut anywhere. Returns when the kernel has taken them; the caller
    /// keeps them until then. What the server finds wrong with them is said by finish().
    Task<Result<void>> write(std::string_view bytes);
    /// Rows that were copied. They count when the transaction around them does.
    Task<Result<std::uint64_t>> finish();
    /// The server forgets the rows; the link can be used again.
    Task<void> abort(std::string reason);

  private:
    Task<Result<std::uint64_t>> end(const char* reason);

    PostgresLink& link_;
    Cancel& cancel_;
    std::optional<PostgresExchange> exchange_;
};

/// `PostgresCopyOut copy(link, cancel); start; read until empty`. The rest as above.
class PostgresCopyOut {
  public:
    PostgresCopyOut(PostgresLink& link, Cancel& cancel) : link_(link), cancel_(cancel) {}

    /// `sql`: COPY … TO STDOUT, in any format.
    Task<Result<void>> start(std::string sql);
    /// Whole rows of the copy format, some tens of KiB; empty at the end. Only then is it certain
    /// that all of it was read: an error of the server in the middle comes in place of a chunk.
    Task<Result<std::string>> read();

  private:
    PostgresLink& link_;
    Cancel& cancel_;
    std::optional<PostgresExchange> exchange_;
};

}  // namespace musher
