// Tells systemd that the loop still turns, as WatchdogSec= of the unit asks.
#pragma once

#include "reactor/loop/loop.h"

namespace musher {

/// From its making on, twice in each span that $WATCHDOG_USEC allows; silent without one. A loop
/// that is stuck says nothing, and systemd ends and restarts the process: as after kill -9,
/// nothing is lost.
class Heartbeat {
  public:
    explicit Heartbeat(Loop& loop);

  private:
    void beat();

    Timers::Alarm alarm_;
    Duration every_{0};
};

}  // namespace musher
