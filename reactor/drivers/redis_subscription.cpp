#include "reactor/drivers/redis_subscription.h"

namespace musher {

RedisSubscription::RedisSubscription(Loop& loop, RedisTarget target, RedisOptions options)
    : loop_(loop), pulse_(loop.timers()), session_(loop, std::move(target), options, *this) {}

void RedisSubscription::subscribe(const std::string& channel, Listener listener) {
    MUSHER_CHECK(listeners_.emplace(channel, std::move(listener)).second);
    if (RedisLink* link = session_.link()) link->post({"SUBSCRIBE", channel});
}

void RedisSubscription::unsubscribe(const std::string& channel) {
    listeners_.erase(channel);
    if (RedisLink* link = session_.link()) link->post({"UNSUBSCRIBE", channel});
}

void RedisSubscription::link_up(RedisLink& link) {
    link.listen([this](const RedisReply& reply) { hear(reply); });
    for (const auto& [channel, listener] : listeners_) link.post({"SUBSCRIBE", channel});
    check_pulse();
}

void RedisSubscription::link_down(const Error&) { pulse_.disarm(); }

void RedisSubscription::hear(const RedisReply& reply) {
    if (reply.kind == RedisReply::Kind::error) {
        // No right to the channel, or no longer our server: the reason shows in the status.
        if (RedisLink* link = session_.link()) link->drop(redis_error(reply.text));
        return;
    }
    // Answers to PING are heard by the link and have nothing to say here.
    if (!reply.is_list() || reply.items.size() != 3) return;
    const auto found = listeners_.find(reply.items[1].text);
    if (found == listeners_.end()) return;
    const Listener listener = found->second;  // the callback may unsubscribe
    if (reply.items[0].text == "message") listener.on_message(reply.items[2].text);
    if (reply.items[0].text == "subscribe") listener.on_gap();
}

/// A connection whose other end vanished says nothing, like one with nothing to say; PING tells
/// them apart.
void RedisSubscription::check_pulse() {
    RedisLink* link = session_.link();
    if (!link) return;
    const Duration silence = session_.options().silence;
    if (loop_.clock().now() - link->last_progress() >= silence) {
        link->drop(Error(Errc::unavailable, "redis at " + link->server() +
                                                " did not answer PING within " +
                                                format_duration(silence)));
        return;
    }
    link->post({"PING"});
    pulse_.arm(silence / 3, [this] { check_pulse(); });
}

}  // namespace musher
