// EventStream: an EventRing as server-sent events.
#pragma once

#include <optional>
#include <string>

#include "pipelines/app/control_server.h"
#include "pipelines/run/event_ring.h"

namespace musher {

/// Each holds a connection of the HTTP server.
inline constexpr std::size_t kMostEventReaders = 64;

/// What one reader wants to hear; all of it when empty.
struct EventWish {
    std::string pipeline;
    std::string state;
    std::string after;  // the id of the last event it has seen
};
/// `usage` unless some event has that state; "" is every one.
Result<void> check_event_state(const std::string& state);

/// Beside events (`job`, `pipeline`, `edit`) it sends `missed` when it cannot go on after
/// EventWish::after, `cut` before it ends because its reader was too slow, and `end` when musher
/// stops. A comment every 10 s says that it lives.
class EventStream final : public ReplyStream {
  public:
    EventStream(Loop& loop, EventRing& ring, EventWish wish);
    std::size_t read(char* into, std::size_t most) override;
    bool ended() const override { return over_ && rest_.empty(); }
    void end() override;

  private:
    void fill(std::size_t most);
    bool wanted(const Happening& one) const;
    void say(std::string_view event, const Json& data);
    void await_more();

    EventRing& ring_;
    EventWish wish_;
    std::uint64_t next_;  // the number of the event to look at
    std::string rest_;    // written, but not read
    bool over_ = false;
    bool alive_due_ = false;
    EventRing::Listener listener_;
    Timers::Alarm alarm_;
};

}  // namespace musher
