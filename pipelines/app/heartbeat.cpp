#include "pipelines/app/heartbeat.h"

#include <systemd/sd-daemon.h>

namespace musher {

Heartbeat::Heartbeat(Loop& loop) : alarm_(loop.timers()) {
    std::uint64_t patience_us = 0;
    if (sd_watchdog_enabled(0, &patience_us) <= 0) return;
    every_ = std::chrono::microseconds(patience_us / 2);
    beat();
}

void Heartbeat::beat() {
    sd_notify(0, "WATCHDOG=1");
    alarm_.arm(every_, [this] { beat(); });
}

}  // namespace musher
