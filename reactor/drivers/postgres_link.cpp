#include "reactor/drivers/postgres_link.h"

#include <postgresql/libpq-fe.h>

#include "reactor/base/uuid.h"
#include "reactor/drivers/postgres_error.h"

namespace musher {

namespace {
bool holds_nul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

/// libpq reads both up to the first NUL and would send half of them.
Result<void> check_text(const PostgresStatement& statement) {
    if (holds_nul(statement.sql)) return fail(Errc::usage, "the statement holds a NUL byte");
    for (std::size_t i = 0; i < statement.params.size(); ++i) {
        if (!statement.params[i] || !holds_nul(*statement.params[i])) continue;
        return fail(Errc::usage,
                    "parameter $" + std::to_string(i + 1) +
                        " holds a NUL byte, which a text of postgres cannot",
                    "pass it as bytea");
    }
    return {};
}

constexpr std::size_t kMostKept = 16;
constexpr std::string_view kPreparedBefore = "42P05";

/// The kept statement is not there (DISCARD, a pooler's other connection), or its result would have
/// other columns than when it was prepared.
bool is_outdated(std::string_view sqlstate) { return sqlstate == "26000" || sqlstate == "0A000"; }

bool failed(const PostgresResult& result) {
    const ExecStatusType status = PQresultStatus(result.raw());
    return status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE;
}

/// Everything up to the answer to the sync: the results of `count` statements.
Task<Result<std::vector<PostgresResult>>> read_batch(PostgresExchange& exchange,
                                                     std::size_t count) {
    std::vector<PostgresResult> results;
    std::optional<Error> first;
    for (;;) {
        Result<PostgresResult> result = co_await exchange.next();
        if (!result && first) co_return fail(std::move(*first));
        if (!result) co_return fail(std::move(result).error());
        if (!*result) continue;  // between two statements
        const ExecStatusType status = PQresultStatus(result->raw());
        if (status == PGRES_PIPELINE_SYNC) break;
        if (status == PGRES_PIPELINE_ABORTED) continue;
        if (!failed(*result)) {
            results.push_back(std::move(*result));
            continue;
        }
        if (first) continue;
        first = exchange.failure(*result).within("statement " + std::to_string(results.size() + 1) +
                                                 " of " + std::to_string(count));
    }
    if (first) co_return fail(std::move(*first));
    co_return results;
}
}  // namespace

/// What one of libpq's senders said.
Result<void> PostgresLink::sent(int taken) {
    if (taken == 1) return {};
    if (PQstatus(wire_.conn()) == CONNECTION_OK) {
        return fail(Errc::usage, std::string("libpq: ") + PQerrorMessage(wire_.conn()));
    }
    wire_.drop(postgres_broken_error(wire_.conn(), wire_.server()));
    return fail(wire_.why());
}

/// A `name` is that of a kept statement.
Result<void> PostgresLink::send(const PostgresStatement& statement, const std::string& name) {
    MUSHER_DO(check_text(statement));
    std::vector<const char*> values;
    values.reserve(statement.params.size());
    for (const PostgresParam& one : statement.params) {
        values.push_back(one ? one->c_str() : nullptr);
    }
    constexpr int kText = 0;
    const int count = static_cast<int>(values.size());
    if (!name.empty()) {
        return sent(PQsendQueryPrepared(wire_.conn(), name.c_str(), count, values.data(), nullptr,
                                        nullptr, kText));
    }
    return sent(PQsendQueryParams(wire_.conn(), statement.sql.c_str(), count, nullptr,
                                  values.data(), nullptr, nullptr, kText));
}

/// The name under which the server knows the statement from now on; empty: send it as it is. The
/// text makes the name, so that behind a pooler, where another program's connection may be ours,
/// no name stands for another text.
Task<Result<std::string>> PostgresLink::keep(const PostgresStatement& statement, Cancel& cancel) {
    const auto known = kept_.find(statement.sql);
    if (known != kept_.end()) co_return known->second;
    if (kept_.size() >= kMostKept) co_return std::string();
    MUSHER_CO_DO(check_text(statement));
    std::string name = "musher_" + uuid_of(statement.sql);
    PostgresExchange exchange(wire_, cancel);
    MUSHER_CO_DO(
        sent(PQsendPrepare(wire_.conn(), name.c_str(), statement.sql.c_str(), 0, nullptr)));
    const Result<PostgresResult> prepared = co_await exchange.finish();
    if (!prepared && exchange.refusal() != kPreparedBefore) co_return fail(prepared.error());
    kept_.emplace(statement.sql, name);
    co_return name;
}

Task<Result<PostgresResult>> PostgresLink::query(PostgresStatement statement, Cancel& cancel) {
    if (cancel.requested()) co_return fail(cancel.error());
    if (broken()) co_return fail(why());
    std::string name;
    if (statement.kept) {
        MUSHER_CO_TRY(name, co_await keep(statement, cancel));
    }
    {
        PostgresExchange exchange(wire_, cancel);
        MUSHER_CO_DO(send(statement, name));
        Result<PostgresResult> result = co_await exchange.finish();
        if (result || name.empty() || !is_outdated(exchange.refusal())) co_return result;
    }
    kept_[statement.sql].clear();
    PostgresExchange exchange(wire_, cancel);
    MUSHER_CO_DO(send(statement));
    co_return co_await exchange.finish();
}

Task<Result<PostgresResult>> PostgresLink::each_row(PostgresStatement statement,
                                                    const OnRow& on_row, Cancel& cancel) {
    if (cancel.requested()) co_return fail(cancel.error());
    if (broken()) co_return fail(why());
    PostgresExchange exchange(wire_, cancel);
    MUSHER_CO_DO(send(statement));
    MUSHER_CHECK(PQsetSingleRowMode(wire_.conn()) == 1);
    co_return co_await exchange.finish(on_row);
}

Task<Result<int>> PostgresLink::parse(std::string sql, Cancel& cancel) {
    if (cancel.requested()) co_return fail(cancel.error());
    if (broken()) co_return fail(why());
    MUSHER_CO_DO(check_text(sql));
    {
        PostgresExchange exchange(wire_, cancel);
        MUSHER_CO_DO(sent(PQsendPrepare(wire_.conn(), "", sql.c_str(), 0, nullptr)));
        MUSHER_CO_DO(co_await exchange.finish());
    }
    PostgresExchange exchange(wire_, cancel);
    MUSHER_CO_DO(sent(PQsendDescribePrepared(wire_.conn(), "")));
    MUSHER_CO_TRY(const PostgresResult told, co_await exchange.finish());
    co_return PQnparams(told.raw());
}

Task<Result<PostgresResult>> PostgresLink::script(std::string sql, Cancel& cancel) {
    if (cancel.requested()) co_return fail(cancel.error());
    if (broken()) co_return fail(why());
    if (holds_nul(sql)) co_return fail(Errc::usage, "the script holds a NUL byte");
    PostgresExchange exchange(wire_, cancel);
    if (PQsendQuery(wire_.conn(), sql.c_str()) != 1) {
        wire_.drop(postgres_broken_error(wire_.conn(), wire_.server()));
        co_return fail(why());
    }
    co_return co_await exchange.finish();
}

Task<Result<std::vector<PostgresResult>>> PostgresLink::batch(
    std::vector<PostgresStatement> statements, Cancel& cancel) {
    if (cancel.requested()) co_return fail(cancel.error());
    if (broken()) co_return fail(why());
    for (const PostgresStatement& one : statements) MUSHER_CO_DO(check_text(one));
    PostgresExchange exchange(wire_, cancel);
    MUSHER_CHECK(PQenterPipelineMode(wire_.conn()) == 1);
    for (const PostgresStatement& one : statements) {
        const Result<void> sent = send(one);
        if (sent) continue;
        // Some are with libpq already and it cannot take them back.
        drop(sent.error());
        co_return fail(sent.error());
    }
    if (PQpipelineSync(wire_.conn()) != 1) drop(postgres_broken_error(wire_.conn(), server()));
    Result<std::vector<PostgresResult>> results = co_await read_batch(exchange, statements.size());
    if (!broken() && PQexitPipelineMode(wire_.conn()) != 1) {
        drop(postgres_broken_error(wire_.conn(), server()));
    }
    co_await exchange.settle();
    co_return results;
}

Task<Result<void>> PostgresLink::commit(Cancel& cancel) {
    const PostgresStatement statement("COMMIT");
    MUSHER_CO_TRY(const PostgresResult done, co_await query(statement, cancel));
    if (done.command() == "COMMIT") co_return Result<void>();
    co_return fail(Errc::conflict,
                   "the transaction was rolled back: one of its statements had failed");
}

Task<Result<void>> PostgresLink::on_channel(std::string_view verb, const std::string& channel,
                                            Cancel& cancel) {
    const PostgresStatement statement(std::string(verb) + " " + postgres_identifier(channel));
    MUSHER_CO_DO(co_await query(statement, cancel));
    co_return Result<void>();
}
Task<Result<void>> PostgresLink::listen(std::string channel, Cancel& cancel) {
    co_return co_await on_channel("LISTEN", channel, cancel);
}
Task<Result<void>> PostgresLink::unlisten(std::string channel, Cancel& cancel) {
    co_return co_await on_channel("UNLISTEN", channel, cancel);
}

PostgresLink::Transaction PostgresLink::transaction() const {
    switch (broken() ? PQTRANS_UNKNOWN : PQtransactionStatus(wire_.conn())) {
        case PQTRANS_IDLE:
            return Transaction::none;
        case PQTRANS_INTRANS:
        case PQTRANS_ACTIVE:
            return Transaction::open;
        case PQTRANS_INERROR:
            return Transaction::failed;
        case PQTRANS_UNKNOWN:
            break;
    }
    return Transaction::unknown;
}

int PostgresLink::backend() const { return broken() ? 0 : PQbackendPID(wire_.conn()); }

}  // namespace musher
