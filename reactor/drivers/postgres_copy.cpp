#include "reactor/drivers/postgres_copy.h"

#include <postgresql/libpq-fe.h>

#include "reactor/drivers/postgres_error.h"

namespace musher {

namespace {
constexpr std::size_t kChunk = 64 << 10;

/// Sends the COPY; an error unless the server begins one of that direction.
Task<Result<void>> begin_copy(PostgresLink& link, std::optional<PostgresExchange>& exchange,
                              const std::string& sql, int direction, Cancel& cancel) {
    if (cancel.requested()) co_return fail(cancel.error());
    if (link.broken()) co_return fail(link.why());
    exchange.emplace(link.wire(), cancel);
    if (PQsendQuery(link.wire().conn(), sql.c_str()) != 1) {
        link.drop(postgres_broken_error(link.wire().conn(), link.server()));
        co_return fail(link.why());
    }
    MUSHER_CO_TRY(const PostgresResult first, co_await exchange->next());
    const int status = PQresultStatus(first.raw());
    if (status == direction) co_return Result<void>();
    if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT) {
        link.drop(Error(Errc::unavailable, "a COPY of the wrong direction was begun"));
        exchange.reset();
        co_return fail(Errc::usage, "this COPY goes the other way");
    }
    std::optional<Error> failed;
    if (status == PGRES_FATAL_ERROR) failed = exchange->failure(first);
    const Result<PostgresResult> rest = co_await exchange->finish();
    exchange.reset();
    if (failed) co_return fail(std::move(*failed));
    co_return fail(Errc::usage, "this statement is no COPY FROM STDIN or TO STDOUT");
}
}  // namespace

Task<Result<void>> PostgresCopyIn::start(std::string sql) {
    co_return co_await begin_copy(link_, exchange_, sql, PGRES_COPY_IN, cancel_);
}

Task<Result<void>> PostgresCopyIn::write(std::string_view bytes) {
    MUSHER_CHECK(exchange_.has_value());
    while (!bytes.empty()) {
        if (link_.broken()) co_return fail(link_.why());
        const std::string_view chunk = bytes.substr(0, kChunk);
        const int taken =
            PQputCopyData(link_.wire().conn(), chunk.data(), static_cast<int>(chunk.size()));
        // Over already: finish() says why.
        if (taken < 0) co_return Result<void>();
        if (taken > 0) bytes.remove_prefix(chunk.size());
        link_.wire().flush();
        while (link_.wire().unsent() && !exchange_->stopping()) {
            MUSHER_CO_DO(co_await exchange_->moved());
        }
        if (!exchange_->stopping() && !cancel_.requested()) continue;
        co_await abort(cancel_.error().message);
        co_return fail(cancel_.error());
    }
    co_return Result<void>();
}

Task<Result<std::uint64_t>> PostgresCopyIn::end(const char* reason) {
    PostgresExchange& exchange = *exchange_;
    for (;;) {
        if (link_.broken()) co_return fail(link_.why());
        const int put = PQputCopyEnd(link_.wire().conn(), reason);
        if (put != 0) break;  // sent, or over already
        MUSHER_CO_DO(co_await exchange.moved());
    }
    MUSHER_CO_TRY(const PostgresResult done, co_await exchange.finish());
    co_return done.affected();
}

Task<Result<std::uint64_t>> PostgresCopyIn::finish() {
    MUSHER_CHECK(exchange_.has_value());
    Result<std::uint64_t> rows = co_await end(nullptr);
    exchange_.reset();
    co_return rows;
}

Task<void> PostgresCopyIn::abort(std::string reason) {
    if (!exchange_) co_return;
    const Result<std::uint64_t> refused = co_await end(reason.c_str());
    exchange_.reset();
}

Task<Result<void>> PostgresCopyOut::start(std::string sql) {
    co_return co_await begin_copy(link_, exchange_, sql, PGRES_COPY_OUT, cancel_);
}

Task<Result<std::string>> PostgresCopyOut::read() {
    std::string rows;
    if (!exchange_) co_return rows;
    constexpr int kDoNotWait = 1;
    while (rows.size() < kChunk) {
        if (link_.broken()) co_return fail(link_.why());
        char* bytes = nullptr;
        const int got = PQgetCopyData(link_.wire().conn(), &bytes, kDoNotWait);
        if (got > 0) {
            rows.append(bytes, static_cast<std::size_t>(got));
            PQfreemem(bytes);
            continue;
        }
        if (got < 0) {
            // The rows of this chunk go only with a sound end, or the next call says it.
            if (!rows.empty()) break;
            const Result<PostgresResult> done = co_await exchange_->finish();
            exchange_.reset();
            if (!done) co_return fail(done.error());
            break;
        }
        if (!rows.empty()) break;
        MUSHER_CO_DO(co_await exchange_->moved());
    }
    co_return rows;
}

}  // namespace musher
