#include "reactor/drivers/postgres_wire.h"

#include <openssl/ssl.h>
#include <postgresql/libpq-fe.h>

#include <memory>

#include "reactor/base/limits.h"
#include "reactor/base/log.h"
#include "reactor/drivers/postgres_error.h"

namespace musher {

namespace {
void log_notice(void*, const PGresult* notice) {
    const Error said = postgres_error(notice);
    log::debug("postgres.notice", Json{{"message", said.message}});
}

/// Bytes that TLS has decrypted and libpq has not taken: the socket will not tell of them.
bool tls_holds_bytes(PGconn* conn) {
    auto* tls = static_cast<SSL*>(PQsslStruct(conn, "OpenSSL"));
    return tls && SSL_pending(tls) > 0;
}
}  // namespace

PostgresWire::PostgresWire(Loop& loop, PGconn* connected, std::string server)
    : loop_(loop),
      conn_(connected),
      server_(std::move(server)),
      moved_(loop.ready()),
      hearers_(loop.ready()),
      ended_(loop.ready()) {
    PQsetNoticeReceiver(conn_, log_notice, nullptr);
    Result<Poll> poll = Poll::open(loop, PQsocket(conn_), "postgres");
    if (!poll) {
        drop(std::move(poll).error());
        return;
    }
    poll_.emplace(std::move(*poll));
    watch();
}

PostgresWire::~PostgresWire() { drop(Error(Errc::unavailable, "the connection was closed")); }

void PostgresWire::begin() {
    MUSHER_CHECK(!in_exchange_);
    in_exchange_ = true;
}

void PostgresWire::end() {
    in_exchange_ = false;
    resume();
}

void PostgresWire::resume() {
    if (!paused_ || broken()) return;
    paused_ = false;
    watch();
}

void PostgresWire::watch() {
    const int wanted = (paused_ ? 0 : UV_READABLE) | (unsent_ ? UV_WRITABLE : 0);
    if (wanted == watched_) return;  // starting it again costs two system calls
    watched_ = wanted;
    if (wanted == 0) {
        poll_->stop();
    } else {
        poll_->start(wanted, [this](int status, int events) { on_poll(status, events); });
    }
}

void PostgresWire::on_poll(int status, int events) {
    if (broken()) return;
    if (status < 0) watched_ = 0;  // libuv has stopped it
    const bool wanted =
        in_exchange_ ? !moved_.empty() : heard_.size() < limits::kPostgresNotifications;
    if (status == 0 && (events & UV_READABLE) && !wanted) {
        paused_ = true;
    } else if (status < 0 || (events & UV_READABLE)) {
        // After an error of the socket libpq finds out and says which.
        if (!consume()) return;
    }
    flush();
    if (broken()) return;
    hear();
    watch();
    moved_.wake_all();
}

bool PostgresWire::consume() {
    do {
        if (PQconsumeInput(conn_) == 0) {
            drop(postgres_broken_error(conn_, server_));
            return false;
        }
    } while (tls_holds_bytes(conn_));
    return true;
}

bool PostgresWire::sound() {
    // Twice: its last words come before the hang-up.
    const bool sounds = !broken() && consume() && consume();
    if (sounds) hear();
    return sounds;
}

void PostgresWire::flush() {
    const int left = PQflush(conn_);
    if (left < 0) {
        drop(postgres_broken_error(conn_, server_));
        return;
    }
    unsent_ = left > 0;
    watch();
}

void PostgresWire::hear() {
    struct Free {
        void operator()(PGnotify* one) const { PQfreemem(one); }
    };
    while (const std::unique_ptr<PGnotify, Free> one{PQnotifies(conn_)}) {
        heard_.push_back(PostgresNotification{one->relname, one->extra, one->be_pid});
    }
    if (!heard_.empty()) hearers_.wake_one();
}

Task<Result<void>> PostgresWire::moved(Cancel& cancel) {
    if (broken()) co_return fail(why_);
    resume();
    const Result<void> woken = co_await moved_.wait(cancel);
    if (broken()) co_return fail(why_);
    co_return woken;
}

Task<Result<std::vector<PostgresNotification>>> PostgresWire::notifications(Cancel& cancel) {
    while (heard_.empty()) {
        if (broken()) co_return fail(why_);
        MUSHER_CO_DO(co_await hearers_.wait(cancel));
    }
    std::vector<PostgresNotification> taken(std::make_move_iterator(heard_.begin()),
                                            std::make_move_iterator(heard_.end()));
    heard_.clear();
    if (!in_exchange_) resume();
    co_return taken;
}

void PostgresWire::drop(Error why) {
    if (broken()) return;
    why_ = std::move(why);
    // The handle goes before the socket that it watches.
    poll_.reset();
    PQfinish(std::exchange(conn_, nullptr));
    moved_.wake_all();
    hearers_.wake_all();
    ended_.wake_all();
}

Task<Result<void>> PostgresWire::ended(Cancel& cancel) {
    if (broken()) co_return Result<void>();
    co_return co_await ended_.wait(cancel);
}

}  // namespace musher
