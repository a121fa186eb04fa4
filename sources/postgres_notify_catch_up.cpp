// catch_up: what notifications were missed, from the tables themselves.
#include <fmt/format.h>

#include "sources/postgres_notify.h"

namespace musher::postgres_notify {

namespace {
constexpr int kRows = 128;  // asked for at a time

Task<Result<void>> run_one(PostgresLink& link, std::string sql, Cancel& cancel) {
    const PostgresStatement statement(std::move(sql));
    MUSHER_CO_DO(co_await link.query(statement, cancel));
    co_return Result<void>();
}

std::string cursor_for(const std::string& query, std::string_view hold) {
    return fmt::format("DECLARE musher_catch_up NO SCROLL CURSOR {} FOR {}", hold, query);
}
}  // namespace

/// On a connection of its own: no answer has to wait behind notifications that nobody takes, so
/// that these stay in the server. WITH HOLD: no snapshot is kept while the queue is full.
Task<Result<void>> PostgresNotify::catch_up(Cancel& over) {
    MUSHER_CO_TRY(const Link link, co_await PostgresLink::dial(context_.loop, rules_.target, over));
    MUSHER_CO_DO(co_await run_one(*link, "BEGIN READ ONLY", over));
    Result<void> declared = co_await run_one(*link, cursor_for(rules_.catch_up, "WITH HOLD"), over);
    if (declared) declared = co_await link->commit(over);
    if (!declared) {
        Error error = declared.error();
        co_return fail(std::move(error).within("catch_up"));
    }
    const PostgresStatement fetch(fmt::format("FETCH {} FROM musher_catch_up", kRows));
    for (;;) {
        MUSHER_CO_TRY(const PostgresResult rows, co_await link->query(fetch, over));
        trouble_.clear();
        if (rows.rows() == 0) co_return Result<void>();
        MUSHER_CO_DO(co_await add_rows(rows, over));
    }
}

/// Those that the queue does not know. While it cannot be asked all go: it takes none twice.
Task<Result<void>> PostgresNotify::add_rows(const PostgresResult& rows, Cancel& over) {
    std::vector<Arrival> arrivals;
    std::vector<std::string> ids;
    for (int row = 0; row < rows.rows(); ++row) {
        arrivals.push_back(rules_.reading.row(rows, row));
        ids.push_back(arrivals.back().event.id);
    }
    const Result<std::vector<Presence>> known = co_await context_.ledger.find(std::move(ids), over);
    for (std::size_t i = 0; i < arrivals.size(); ++i) {
        if (known && (*known)[i] != Presence::unknown) continue;
        MUSHER_CO_DO(co_await add(std::move(arrivals[i]), over));
        ++rows_;
    }
    co_return Result<void>();
}

Task<std::vector<Problem>> PostgresNotify::probe(Cancel& cancel) {
    std::vector<Problem> problems;
    const auto report = [&problems](const char* code, const Error& error) {
        problems.push_back(Problem{{}, Problem::Severity::error, code, error.text(), error.hint});
    };
    Result<Link> link = co_await connect(cancel);
    if (!link) {
        report("cannot_listen", link.error());
        co_return problems;
    }
    if (rules_.catch_up.empty()) co_return problems;
    const Result<void> tried = co_await try_catch_up(**link, cancel);
    if (!tried) report("bad_catch_up", tried.error());
    co_return problems;
}

/// As catch_up() does it, but no row is made.
Task<Result<void>> PostgresNotify::try_catch_up(PostgresLink& link, Cancel& cancel) {
    MUSHER_CO_DO(co_await run_one(link, "BEGIN READ ONLY", cancel));
    Result<void> declared = co_await run_one(link, cursor_for(rules_.catch_up, ""), cancel);
    if (!declared) {
        Error error = declared.error();
        co_return fail(std::move(error).within("catch_up"));
    }
    co_return Result<void>();
}

}  // namespace musher::postgres_notify
