#include "reactor/drivers/redis.h"

#include <openssl/sha.h>

#include "reactor/base/bytes.h"
#include "reactor/base/log.h"
#include "reactor/base/text.h"
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

RedisScript RedisScript::of(std::string name, std::string source) {
    std::array<unsigned char, SHA_DIGEST_LENGTH> digest;
    SHA1(musher::as_bytes(source).data(), source.size(), digest.data());
    return RedisScript{std::move(name), std::move(source), to_hex(digest)};
}

Redis::Redis(Loop& loop, RedisTarget target, RedisOptions options)
    : loop_(loop),
      target_(std::move(target)),
      options_(options),
      alarm_(loop.timers()),
      backoff_(options.backoff, options.backoff_cap),
      scope_("redis", loop.ready(), loop.clock(), &loop.root()) {
    scope_.spawn(target_.name(), keep());
}

Redis::~Redis() { MUSHER_CHECK(state_ == RedisState::closed); }

Task<void> Redis::close() {
    stop_.request(Errc::unavailable, "the redis connection was closed");
    co_await scope_.join();
}

Task<Result<RedisReply>> Redis::command(std::vector<std::string> argv, Cancel& cancel) {
    MUSHER_CO_TRY(RedisReply reply, co_await round_trip(std::move(argv), cancel));
    if (reply.kind == RedisReply::Kind::error) co_return fail(redis_error(reply.text));
    co_return reply;
}

Task<Result<RedisReply>> Redis::eval(const RedisScript& script, std::vector<std::string> keys,
                                     std::vector<std::string> args, Cancel& cancel) {
    std::vector<std::string> argv;
    argv.reserve(3 + keys.size() + args.size());
    argv.emplace_back("EVALSHA");
    argv.push_back(script.sha1);
    argv.push_back(std::to_string(keys.size()));
    for (std::string& key : keys) argv.push_back(std::move(key));
    for (std::string& arg : args) argv.push_back(std::move(arg));
    MUSHER_CO_TRY(RedisReply reply, co_await round_trip(argv, cancel));
    if (reply.kind == RedisReply::Kind::error && reply.text.starts_with("NOSCRIPT")) {
        // Once per script and server life: after a start, a failover or SCRIPT FLUSH.
        argv[0] = "EVAL";
        argv[1] = script.source;
        MUSHER_CO_TRY(reply, co_await round_trip(std::move(argv), cancel));
    }
    if (reply.kind == RedisReply::Kind::error) {
        co_return fail(redis_error(reply.text).within("script " + script.name));
    }
    co_return reply;
}

Task<Result<RedisReply>> Redis::round_trip(std::vector<std::string> argv, Cancel& cancel) {
    if (cancel.requested()) co_return fail(cancel.error());
    const auto call = std::make_shared<RedisCall>(loop_, argv);
    submit(call);
    if (!call->answer) {
        const Result<void> waited = co_await call->done.wait(cancel);
        if (!call->answer) {
            call->abandoned = true;
            MUSHER_CO_DO(waited);
        }
    }
    co_return std::move(*call->answer);
}

void Redis::submit(const std::shared_ptr<RedisCall>& call) {
    if (stop_.requested()) {
        call->finish(fail(stop_.error()));
    } else if (link_ && !link_->broken()) {
        link_->send(call);
    } else {
        waiting_.push_back(call);
    }
    if (!alarm_.armed()) watch();
}

Task<void> Redis::keep() {
    while (!stop_.requested()) {
        state_ = RedisState::connecting;
        Result<std::unique_ptr<RedisLink>> link = fail(Errc::internal, "");
        {
            Cancel mine(stop_);
            const Deadline limit(loop_.timers(), mine, options_.dial);
            link = co_await redis_dial(loop_, target_, mine);
        }
        if (link) {
            const Instant since = loop_.clock().now();
            adopt(std::move(*link));
            const Result<void> ended = co_await link_->ended(stop_);
            if (loop_.clock().now() - since > kStable) backoff_.reset();
            lose(ended ? link_->why() : stop_.error());
        } else if (!stop_.requested()) {
            lose(std::move(link).error());
        }
        // Full jitter: the first wait after a good connection is next to nothing.
        const Result<void> slept = co_await loop_.timers().sleep(backoff_.next(), stop_);
        if (!slept) break;
    }
    fail_waiting(stop_.error());
    alarm_.disarm();
    state_ = RedisState::closed;
}

void Redis::adopt(std::unique_ptr<RedisLink> link) {
    link_ = std::move(link);
    state_ = RedisState::connected;
    server_ = link_->server();
    last_error_ = Error();
    ++connections_;
    log::debug("redis.connected", Json{{"redis", target_.name()}, {"server", server_}});
    for (const std::shared_ptr<RedisCall>& call : std::exchange(waiting_, {})) {
        // One that was cancelled before it left has no effect.
        if (!call->abandoned) link_->send(call);
    }
    watch();
}

void Redis::lose(Error why) {
    if (why.code == Errc::timeout) why.code = Errc::unavailable;
    const bool was_connected = link_ != nullptr;
    link_.reset();
    state_ = RedisState::waiting;
    if (!stop_.requested() && (was_connected || last_error_.message != why.message)) {
        log::warning("redis.lost", Json{{"redis", target_.name()}, {"reason", why.text()}});
    }
    last_error_ = std::move(why);
    // Waiting does not mend wrong credentials or a wrong address.
    if (last_error_.code != Errc::unavailable) fail_waiting(last_error_);
    watch();
}

void Redis::fail_waiting(const Error& why) {
    for (const std::shared_ptr<RedisCall>& call : std::exchange(waiting_, {})) {
        call->finish(fail(why));
    }
}

/// Arms the one alarm for whatever is due first.
void Redis::watch() {
    Instant due = Instant::max();
    if (!waiting_.empty()) due = waiting_.front()->issued + options_.patience;
    if (link_ && !link_->in_flight().empty()) {
        due = std::min(due, link_->last_progress() + options_.silence);
        due = std::min(due, link_->in_flight().front()->issued + options_.deadline);
    }
    if (due == Instant::max() || stop_.requested()) {
        alarm_.disarm();
        return;
    }
    alarm_.arm(due - loop_.clock().now(), [this] { enforce(); });
}

void Redis::enforce() {
    const Instant now = loop_.clock().now();
    while (!waiting_.empty() && waiting_.front()->issued + options_.patience <= now) {
        const std::shared_ptr<RedisCall> call = std::move(waiting_.front());
        waiting_.pop_front();
        Error why(Errc::unavailable, "no connection to redis at " + target_.name() + " within " +
                                         format_duration(options_.patience));
        if (!last_error_.message.empty()) why.context = {last_error_.text()};
        call->finish(fail(std::move(why).within(call->verb)));
    }
    if (link_ && !link_->in_flight().empty()) {
        const bool silent = link_->last_progress() + options_.silence <= now;
        const bool late = link_->in_flight().front()->issued + options_.deadline <= now;
        const Duration limit = silent ? options_.silence : options_.deadline;
        if (silent || late) {
            link_->drop(Error(Errc::unavailable, "redis at " + link_->server() +
                                                     " did not answer within " +
                                                     format_duration(limit)));
        }
    }
    watch();
}

}  // namespace musher
