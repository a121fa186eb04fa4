#include "reactor/drivers/redis_session.h"

#include "reactor/base/log.h"
#include "reactor/drivers/redis_dial.h"

namespace musher {

namespace {
constexpr std::chrono::seconds kStable{1};  // a connection that lived so long was a good one
}  // namespace

std::string_view state_name(RedisState state) {
    switch (state) {
        case RedisState::connecting:
            return "connecting";
        case RedisState::connected:
            return "connected";
        case RedisState::waiting:
            return "waiting";
        case RedisState::closed:
            return "closed";
    }
    return "closed";
}

RedisSession::RedisSession(Loop& loop, RedisTarget target, RedisOptions options, Owner& owner)
    : loop_(loop),
      target_(std::move(target)),
      options_(options),
      owner_(owner),
      backoff_(options.backoff, options.backoff_cap),
      scope_("redis", loop.ready(), loop.clock(), &loop.root()) {
    scope_.spawn(target_.name(), keep());
}

RedisSession::~RedisSession() { MUSHER_CHECK(status_.state == RedisState::closed); }

Task<void> RedisSession::close() {
    stop_.request(Errc::unavailable, "the connection to redis was closed");
    co_await scope_.join();
}

Task<void> RedisSession::keep() {
    // The owner is still being built.
    const Result<void> turn = co_await loop_.timers().sleep(Duration(0), stop_);
    while (turn && !stop_.requested()) {
        status_.state = RedisState::connecting;
        Result<std::unique_ptr<RedisLink>> link = co_await dial();
        const bool connected = link.has_value();
        Error why;
        if (connected) {
            why = co_await serve(std::move(*link));
        } else {
            why = std::move(link).error();
        }
        if (stop_.requested()) break;
        lost(std::move(why), connected);
        // Full jitter: the first wait after a good connection is next to nothing.
        const Result<void> slept = co_await loop_.timers().sleep(backoff_.next(), stop_);
        if (!slept) break;
    }
    status_.state = RedisState::closed;
    owner_.link_down(stop_.error());
}

Task<Result<std::unique_ptr<RedisLink>>> RedisSession::dial() {
    Cancel mine(stop_);
    const Deadline limit(loop_.timers(), mine, options_.dial);
    Result<std::unique_ptr<RedisLink>> link = co_await redis_dial(loop_, target_, mine);
    if (!link && link.error().code == Errc::timeout) {
        co_return fail(Errc::unavailable, "connecting to redis at " + target_.name() +
                                              " took longer than " +
                                              format_duration(options_.dial));
    }
    co_return link;
}

Task<Error> RedisSession::serve(std::unique_ptr<RedisLink> link) {
    const Instant since = loop_.clock().now();
    link_ = std::move(link);
    status_.state = RedisState::connected;
    status_.server = link_->server();
    status_.last_error = Error();
    ++status_.connections;
    log::debug("redis.connected", Json{{"redis", target_.name()}, {"server", status_.server}});
    owner_.link_up(*link_);
    const Result<void> ended = co_await link_->ended(stop_);
    if (loop_.clock().now() - since > kStable) backoff_.reset();
    Error why = link_->why();
    if (!ended) why = ended.error();
    link_.reset();
    co_return why;
}

void RedisSession::lost(Error why, bool was_connected) {
    status_.state = RedisState::waiting;
    if (was_connected || status_.last_error.message != why.message) {
        log::warning("redis.lost", Json{{"redis", target_.name()}, {"reason", why.text()}});
    }
    status_.last_error = std::move(why);
    owner_.link_down(status_.last_error);
}

}  // namespace musher
