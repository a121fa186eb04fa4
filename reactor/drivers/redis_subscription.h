// RedisSubscription: the one SUBSCRIBE connection of a process.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "reactor/drivers/redis_session.h"

namespace musher {

/// A message is a doorbell: those sent while there is no connection are lost, so every subscriber
/// is told when it may have missed some and looks for itself. Callbacks run on the loop's stack:
/// they post, wake or set something and return. Loop thread only.
class RedisSubscription : private RedisSession::Owner {
  public:
    struct Listener {
        std::function<void(std::string_view message)> on_message;
        /// Subscribed, for the first time or again: from here on nothing is missed until the
        /// next call. Whatever came before has to be looked for.
        std::function<void()> on_gap;
    };
    RedisSubscription(Loop& loop, RedisTarget target, RedisOptions options = {});
    RedisSubscription(const RedisSubscription&) = delete;
    ~RedisSubscription() override = default;  // after close()

    /// One listener per channel, kept over every reconnect.
    void subscribe(const std::string& channel, Listener listener);
    void unsubscribe(const std::string& channel);
    /// Returns when nothing of it runs any more; no callback after that.
    Task<void> close() { return session_.close(); }

    const RedisStatus& status() const { return session_.status(); }

  private:
    void link_up(RedisLink& link) override;
    void link_down(const Error& why) override;
    void hear(const RedisReply& reply);
    void check_pulse();

    Loop& loop_;
    std::map<std::string, Listener, std::less<>> listeners_;
    Timers::Alarm pulse_;
    RedisSession session_;
};

}  // namespace musher
