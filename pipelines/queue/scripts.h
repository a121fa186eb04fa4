// The Lua scripts of the queue (lua/*.lua) and the keys that they are given.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "reactor/drivers/redis.h"

namespace musher {

/// One RedisScript per move. Each is atomic on the server, works on one queue's keys only, takes
/// its time from the server and does bounded work.
struct QueueScripts {
    RedisScript open, enqueue, cycle, fail, release, receipt, reap;
    RedisScript find, show, list, stats, cancel, replay, hasten, pause, purge, withdraw, forget;
};
const QueueScripts& queue_scripts();

/// `m1:{queue}:…`, the same list for every script; one hash tag, so one slot of a cluster.
class QueueKeys {
  public:
    explicit QueueKeys(const std::string& queue);
    /// The list with the counters of the minute at its end.
    std::vector<std::string> at(std::int64_t wall_ms) const;
    /// One key by its short name: `p`, `ready`, …
    std::string key(std::string_view name) const { return prefix_ + std::string(name); }

  private:
    std::string prefix_;
    std::vector<std::string> fixed_;
};

/// One file of lua/, without its ending; empty if there is none.
std::string_view lua_text(std::string_view name);

}  // namespace musher
