#include "reactor/drivers/postgres_exchange.h"

#include <postgresql/libpq-fe.h>

#include "reactor/drivers/postgres_error.h"
#include "reactor/loop/offload.h"

namespace musher {

namespace {
constexpr Duration kAgain = milliseconds(100);
}  // namespace

/// Owned by the exchange and by the task on the pool, whichever ends last.
struct PostgresExchange::CancelCall {
    CancelCall(Loop& loop, PGconn* conn) : handle(PQgetCancel(conn)), ended(loop.ready()) {}
    CancelCall(const CancelCall&) = delete;
    ~CancelCall() { PQfreeCancel(handle); }
    PGcancel* handle;
    Cancel over;  // the statement has ended
    bool done = false;
    Waiters ended;
};

PostgresExchange::PostgresExchange(PostgresWire& wire, Cancel& asked) : wire_(wire), asked_(asked) {
    wire_.begin();
}

PostgresExchange::~PostgresExchange() {
    if (call_) call_->over.request();
    if (!wire_.broken() && PQtransactionStatus(wire_.conn()) == PQTRANS_ACTIVE) {
        wire_.drop(Error(Errc::unavailable, "a statement was left half-way"));
    }
    if (ends_) wire_.drop(Error(Errc::unavailable, wire_.server() + " became read-only"));
    wire_.end();
}

/// PQcancel connects, sends and waits for the server to hang up, all of it blocking.
Task<void> PostgresExchange::send_cancel(Loop& loop, std::shared_ptr<CancelCall> call) {
    Cancel never;
    const Result<Semaphore::Permit> permit = co_await loop.heavy().acquire(never);
    char said[256];
    auto ask = [&] { return PQcancel(call->handle, said, sizeof said); };
    while (!call->over.requested()) {
        co_await offload(loop, ask);
        // A request that comes before the server has begun the statement is forgotten there.
        const Result<void> rested = co_await loop.timers().sleep(kAgain, call->over);
        static_cast<void>(rested);
    }
    call->done = true;
    call->ended.wake_all();
}

void PostgresExchange::stop() {
    Loop& loop = wire_.loop();
    call_ = std::make_shared<CancelCall>(loop, wire_.conn());
    grace_end_.emplace(loop.timers(), grace_, kGrace);
    loop.root().spawn("postgres cancel", send_cancel(loop, call_));
}

Error PostgresExchange::loss() const { return asked_.requested() ? asked_.error() : wire_.why(); }

Error PostgresExchange::failure(const PostgresResult& failed) {
    constexpr std::string_view kQueryCancelled = "57014";
    refusal_ = sqlstate_of(failed.raw());
    if (asked_.requested() && refusal_ == kQueryCancelled) return asked_.error();
    ends_ = ends_ || sqlstate_ends_connection(refusal_);
    return postgres_error(failed.raw());
}

Task<Result<void>> PostgresExchange::moved() {
    Cancel& until = stopping() ? grace_ : asked_;
    const Result<void> woken = co_await wire_.moved(until);
    if (woken) co_return woken;
    if (wire_.broken()) co_return fail(loss());
    if (!stopping()) {
        stop();
        co_return Result<void>();
    }
    wire_.drop(Error(Errc::unavailable, "postgres at " + wire_.server() +
                                            " did not answer a cancel request within " +
                                            format_duration(kGrace)));
    co_return fail(loss());
}

Task<Result<PostgresResult>> PostgresExchange::next() {
    if (!wire_.broken()) wire_.flush();
    while (!wire_.broken() && PQisBusy(wire_.conn())) MUSHER_CO_DO(co_await moved());
    if (wire_.broken()) co_return fail(loss());
    PostgresResult result(PQgetResult(wire_.conn()));
    if (PQstatus(wire_.conn()) == CONNECTION_BAD) {
        wire_.drop(postgres_broken_error(wire_.conn(), wire_.server()));
        if (!result) co_return fail(loss());
    }
    co_return result;
}

Task<Result<PostgresResult>> PostgresExchange::finish(const OnRow& on_row) {
    PostgresResult last;
    std::optional<Error> failed;
    for (;;) {
        Result<PostgresResult> result = co_await next();
        // What the server said before it hung up says more than that it did.
        if (!result && failed) co_return fail(std::move(*failed));
        if (!result) co_return result;
        if (!*result) break;
        const ExecStatusType status = PQresultStatus(result->raw());
        if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) {
            wire_.drop(Error(Errc::unavailable, "a COPY was left half-way"));
            co_return fail(Errc::usage, "this COPY wants data from here, or gives some",
                           "read or write a file of the server, or a program there");
        }
        if (status == PGRES_SINGLE_TUPLE) {
            Result<void> taken;
            if (!failed) taken = on_row(*result);
            if (!taken) failed = std::move(taken).error();
            if (failed && !stopping()) stop();
            continue;
        }
        const bool bad = status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE;
        if (bad && !failed) failed = failure(*result);
        if (!bad) last = std::move(*result);
    }
    co_await settle();
    if (failed) co_return fail(std::move(*failed));
    if (!last) co_return fail(Errc::internal, "postgres answered nothing");
    co_return last;
}

Task<void> PostgresExchange::settle() {
    if (call_) call_->over.request();
    while (call_ && !call_->done) {
        const Result<void> waited = co_await call_->ended.wait(grace_);
        if (waited) continue;
        wire_.drop(Error(Errc::unavailable, "a cancel request to " + wire_.server() + " hangs"));
        break;
    }
}

}  // namespace musher
