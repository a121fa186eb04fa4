#include "reactor/drivers/postgres_link.h"

#include <postgresql/libpq-fe.h>

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

Result<void> PostgresLink::send(const PostgresStatement& statement) {
    MUSHER_DO(check_text(statement));
    std::vector<const char*> values;
    values.reserve(statement.params.size());
    for (const PostgresParam& one : statement.params) {
        values.push_back(one ? one->c_str() : nullptr);
    }
    constexpr int kText = 0;
    if (PQsendQueryParams(wire_.conn(), statement.sql.c_str(), static_cast<int>(values.size()),
                          nullptr, values.data(), nullptr, nullptr, kText) == 1) {
        return {};
    }
    if (PQstatus(wire_.conn()) == CONNECTION_OK) {
        return fail(Errc::usage, std::string("libpq: ") + PQerrorMessage(wire_.conn()));
    }
    wire_.drop(postgres_broken_error(wire_.conn(), wire_.server()));
    return fail(wire_.why());
}

Task<Result<PostgresResult>> PostgresLink::query(PostgresStatement statement, Cancel& cancel) {
    if (cancel.requested()) co_return fail(cancel.error());
    if (broken()) co_return fail(why());
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
