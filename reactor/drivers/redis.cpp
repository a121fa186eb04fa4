#include "reactor/drivers/redis.h"

#include "reactor/base/digest.h"

namespace musher {

RedisScript RedisScript::of(std::string name, std::string source) {
    Digest digest(DigestKind::sha1);
    digest.update(as_bytes(source));
    return RedisScript{std::move(name), std::move(source), digest.hex()};
}

Redis::Redis(Loop& loop, RedisTarget target, RedisOptions options)
    : loop_(loop), alarm_(loop.timers()), session_(loop, std::move(target), options, *this) {}

Task<Result<RedisReply>> Redis::command(std::vector<std::string> argv, Cancel& cancel) {
    MUSHER_CO_TRY(RedisReply reply, co_await round_trip(argv, cancel));
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
        MUSHER_CO_TRY(reply, co_await round_trip(argv, cancel));
    }
    if (reply.kind == RedisReply::Kind::error) {
        co_return fail(redis_error(reply.text).within("script " + script.name));
    }
    co_return reply;
}

Task<Result<RedisReply>> Redis::round_trip(const std::vector<std::string>& argv, Cancel& cancel) {
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
    if (session_.stop().requested()) {
        call->finish(fail(session_.stop().error()));
        return;
    }
    if (RedisLink* link = session_.link()) {
        link->send(call);
    } else {
        waiting_.push_back(call);
    }
    if (!alarm_.armed()) watch();
}

void Redis::link_up(RedisLink& link) {
    for (const std::shared_ptr<RedisCall>& call : std::exchange(waiting_, {})) {
        // One that was cancelled before it left has no effect.
        if (!call->abandoned) link.send(call);
    }
    watch();
}

void Redis::link_down(const Error& why) {
    // Waiting does not mend wrong credentials, a wrong address or a closed connection.
    if (why.code != Errc::unavailable || session_.stop().requested()) fail_waiting(why);
    watch();
}

void Redis::fail_waiting(const Error& why) {
    for (const std::shared_ptr<RedisCall>& call : std::exchange(waiting_, {})) {
        call->finish(fail(why));
    }
}

/// Arms the one alarm for whatever is due first.
void Redis::watch() {
    const RedisOptions& options = session_.options();
    Instant due = Instant::max();
    if (!waiting_.empty()) due = waiting_.front()->issued + options.patience;
    const RedisLink* link = session_.link();
    if (link && !link->in_flight().empty()) {
        due = std::min(due, link->last_progress() + options.silence);
        due = std::min(due, link->in_flight().front()->issued + options.deadline);
    }
    if (due == Instant::max()) {
        alarm_.disarm();
        return;
    }
    alarm_.arm(due - loop_.clock().now(), [this] { enforce(); });
}

void Redis::enforce() {
    const RedisOptions& options = session_.options();
    const Instant now = loop_.clock().now();
    expire_waiting(now);
    RedisLink* link = session_.link();
    if (link && !link->in_flight().empty()) {
        const bool silent = link->last_progress() + options.silence <= now;
        const bool late = link->in_flight().front()->issued + options.deadline <= now;
        const Duration limit = silent ? options.silence : options.deadline;
        const std::string what = link->in_flight().front()->verb;
        if (silent || late) {
            link->drop(Error(Errc::unavailable, "redis at " + link->server() + " did not answer " +
                                                    what + " within " + format_duration(limit)));
        }
    }
    watch();
}

void Redis::expire_waiting(Instant now) {
    const Duration patience = session_.options().patience;
    while (!waiting_.empty() && waiting_.front()->issued + patience <= now) {
        const std::shared_ptr<RedisCall> call = std::move(waiting_.front());
        waiting_.pop_front();
        std::string message = "no connection to redis at " + target().name() + " for " +
                              call->verb + " within " + format_duration(patience);
        const Error& last = status().last_error;
        if (!last.message.empty()) message += " (" + last.text() + ")";
        call->finish(fail(Errc::unavailable, std::move(message), last.hint));
    }
}

}  // namespace musher
