// PostgresExchange: one question to the server and its answers, cancelled properly.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "reactor/drivers/postgres_result.h"
#include "reactor/drivers/postgres_wire.h"
#include "reactor/loop/timers.h"

namespace musher {

/// From before the first byte leaves until the server is ready for the next question; lives in the
/// frame of whoever asks. When `asked` is requested, the server is told (PQcancel, on the pool) and
/// has kGrace to answer: then the connection is whole and can be used again. Otherwise it is
/// dropped. Destroyed half-way it drops the connection too.
class PostgresExchange {
  public:
    static constexpr std::chrono::seconds kGrace{2};
    /// One row; an error stops the statement and becomes its end.
    using OnRow = std::function<Result<void>(const PostgresResult& row)>;

    PostgresExchange(PostgresWire& wire, Cancel& asked);
    PostgresExchange(const PostgresExchange&) = delete;
    ~PostgresExchange();

    /// Until bytes moved; a request of `asked` counts as such the first time.
    Task<Result<void>> moved();
    /// The next result, also a failed one; an empty one between statements and at the end.
    Task<Result<PostgresResult>> next();
    /// The last result of all that are left, or the first failure. In single-row mode each row goes
    /// to `on_row` and the last result has none.
    Task<Result<PostgresResult>> finish(const OnRow& on_row = {});
    /// Before the connection's next use: a cancel request under way could hit what comes then.
    Task<void> settle();

    PostgresWire& wire() { return wire_; }
    bool stopping() const { return call_ != nullptr; }
    /// A failed result as an Error: the Cancel's reason when the server did what we asked.
    Error failure(const PostgresResult& failed);
    /// SQLSTATE of the last failure(); empty: none.
    const std::string& refusal() const { return refusal_; }

  private:
    struct CancelCall;
    static Task<void> send_cancel(Loop& loop, std::shared_ptr<CancelCall> call);
    void stop();
    /// Why the connection is gone, or why the caller wanted to stop.
    Error loss() const;

    PostgresWire& wire_;
    Cancel& asked_;
    Cancel grace_;
    std::optional<Deadline> grace_end_;
    std::shared_ptr<CancelCall> call_;
    bool ends_ = false;  // the server is no longer one to ask
    std::string refusal_;
};

}  // namespace musher
