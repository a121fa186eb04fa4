#include "reactor/drivers/postgres.h"

#include "reactor/base/log.h"

namespace musher {

Postgres::Postgres(Loop& loop, PostgresTarget target, PostgresOptions options)
    : loop_(loop),
      target_(std::move(target)),
      options_(options),
      free_(loop.ready(), target_.pool),
      alarm_(loop.timers()),
      backoff_(options.backoff, options.backoff_cap),
      left_(loop.ready()),
      scope_("postgres", loop.ready(), loop.clock(), &loop.root()) {}

Postgres::~Postgres() { MUSHER_CHECK(stop_.requested() && status_.open == 0); }

Postgres::Lease& Postgres::Lease::operator=(Lease&& other) noexcept {
    std::swap(owner_, other.owner_);
    std::swap(link_, other.link_);
    std::swap(permit_, other.permit_);
    return *this;
}

void Postgres::Lease::give_back() {
    if (!owner_) return;
    if (link_) owner_->take_back(std::move(link_), std::move(permit_));
    if (--owner_->users_ == 0) owner_->left_.ring();
}

Task<Result<Postgres::Lease>> Postgres::lease(Cancel& cancel) {
    Lease lease(*this);
    Cancel mine(cancel);
    CancelHook closing;
    closing.attach(stop_, [&] { mine.request(Errc::unavailable, stop_.error().message); });
    MUSHER_CO_TRY(lease.permit_, co_await free_.acquire(mine));
    lease.link_ = take_idle();
    if (!lease.link_) {
        MUSHER_CO_TRY(lease.link_, co_await connect(mine));
    }
    ++status_.leased;
    co_return lease;
}

Task<Result<PostgresResult>> Postgres::query(PostgresStatement statement, Cancel& cancel) {
    MUSHER_CO_TRY(const Lease lease, co_await this->lease(cancel));
    co_return co_await lease->query(std::move(statement), cancel);
}

/// The one that was used last: the others may fall out of use.
std::unique_ptr<PostgresLink> Postgres::take_idle() {
    while (!idle_.empty()) {
        std::unique_ptr<PostgresLink> link = std::move(idle_.back().link);
        idle_.pop_back();
        if (link->wire().sound()) return link;
        forget(std::move(link));
    }
    return nullptr;
}

Task<Result<std::unique_ptr<PostgresLink>>> Postgres::connect(Cancel& cancel) {
    const bool up = status_.last_error.message.empty();
    // All callers share the patience: it is over for who comes when the servers are long gone.
    const Instant limit = (up ? loop_.clock().now() : down_since_) + options_.patience;
    for (;;) {
        MUSHER_CO_DO(co_await wait_turn(limit, cancel));
        // Somebody may have given one back meanwhile.
        if (std::unique_ptr<PostgresLink> link = take_idle()) co_return link;
        Result<std::unique_ptr<PostgresLink>> link =
            co_await PostgresLink::dial(loop_, target_, cancel);
        if (link) {
            ++status_.open;
            ++status_.dialled;
            status_.last_error = Error();
            backoff_.reset();
            log::debug("postgres.connected",
                       Json{{"postgres", target_.name()}, {"server", (*link)->server()}});
            co_return link;
        }
        if (cancel.requested()) co_return fail(cancel.error());
        failed(link.error());
        if (link.error().code != Errc::unavailable) co_return link;
    }
}

/// Until a try is due; the last failure when that is later than `limit`, or waiting will not help.
Task<Result<void>> Postgres::wait_turn(Instant limit, Cancel& cancel) {
    const Instant now = loop_.clock().now();
    if (status_.last_error.message.empty() || next_try_ <= now) {
        co_return Result<void>();
    }
    const bool hopeless = status_.last_error.code != Errc::unavailable;
    if (hopeless || next_try_ > limit) co_return fail(status_.last_error);
    co_return co_await loop_.timers().sleep(next_try_ - now, cancel);
}

void Postgres::failed(const Error& why) {
    const Instant now = loop_.clock().now();
    Error& last = status_.last_error;
    if (last.message.empty()) down_since_ = now;
    if (last.message != why.message) {
        log::warning("postgres.lost", Json{{"postgres", target_.name()}, {"reason", why.text()}});
    }
    last = why;
    next_try_ = now + backoff_.next();
}

void Postgres::take_back(std::unique_ptr<PostgresLink> link, Semaphore::Permit permit) {
    --status_.leased;
    const PostgresLink::Transaction state = link->transaction();
    if (state == PostgresLink::Transaction::none && !stop_.requested()) {
        keep(std::move(link));
    } else if (state == PostgresLink::Transaction::unknown || stop_.requested()) {
        forget(std::move(link));
    } else {
        scope_.spawn("rollback", mend(std::move(link), std::move(permit)));
    }
}

Task<void> Postgres::mend(std::unique_ptr<PostgresLink> link, Semaphore::Permit permit) {
    const Semaphore::Permit held = std::move(permit);
    {
        Cancel mine(stop_);
        const Deadline limit(loop_.timers(), mine, options_.rollback);
        const PostgresStatement rollback("ROLLBACK");
        const Result<PostgresResult> done = co_await link->query(rollback, mine);
    }
    const bool sound = link->transaction() == PostgresLink::Transaction::none;
    if (sound && !stop_.requested()) {
        keep(std::move(link));
    } else {
        forget(std::move(link));
    }
}

void Postgres::keep(std::unique_ptr<PostgresLink> link) {
    idle_.push_back(Idle{std::move(link), loop_.clock().now()});
    if (!alarm_.armed()) alarm_.arm(options_.idle, [this] { sweep(); });
}

void Postgres::forget(std::unique_ptr<PostgresLink> link) {
    link.reset();
    --status_.open;
}

void Postgres::sweep() {
    const Instant old = loop_.clock().now() - options_.idle;
    while (!idle_.empty() && idle_.front().since <= old) {
        forget(std::move(idle_.front().link));
        idle_.pop_front();
    }
    if (idle_.empty()) return;
    alarm_.arm(idle_.front().since - old, [this] { sweep(); });
}

Task<void> Postgres::close() {
    stop_.request(Errc::unavailable, "the connection to postgres was closed");
    alarm_.disarm();
    Cancel never;
    while (users_ > 0) {
        const Result<void> rung = co_await left_.wait(never);
    }
    co_await scope_.join();
    while (!idle_.empty()) {
        forget(std::move(idle_.front().link));
        idle_.pop_front();
    }
}

Task<void> Postgres::retry(Cancel& cancel) {
    if (trouble().empty() || next_try_ > loop_.clock().now()) co_return;
    const PostgresStatement question("SELECT 1");
    const Result<PostgresResult> answer = co_await query(question, cancel);
    if (answer) status_.last_error = Error();
}

std::string Postgres::status_text() const {
    if (!status_.last_error.message.empty()) return status_.last_error.text();
    return std::to_string(status_.open) + " connections, " + std::to_string(status_.leased) +
           " in use";
}

}  // namespace musher
