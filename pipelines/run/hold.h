// Hold: a broken sink, or a server that a step asks, stops its pipeline's claims, but for one probe
// job at a time.
#pragma once

#include <map>
#include <string>

#include "reactor/base/clock.h"
#include "reactor/base/error.h"

namespace musher {

/// When a job went through a sink, by the sink's id.
using Passed = std::map<std::string, Instant>;

/// A small state machine; the Dispatcher asks it before each claim. Loop thread only.
class Hold {
  public:
    Hold(const Clock& clock, std::string queue) : clock_(clock), queue_(std::move(queue)) {}

    /// A sink failed for a reason that is not the item's: hold, or hold on for longer; at least
    /// as long as the server asked for with the error's `retry_after`.
    void fault(const std::string& sink, const Error& error);
    /// A job went through these sinks. True: the broken one is among them, and since the last
    /// fault: it is well again.
    bool lift(const Passed& passed);
    bool active() const { return active_; }
    /// How many jobs may be started now, of `wanted`: all, none, or one probe.
    std::size_t allowance(std::size_t wanted, std::size_t running) const;
    /// The next probe is due now, unless the server asked for a pause.
    void hasten();
    /// When the next probe is due; only while active.
    Instant probe_at() const { return probe_at_; }
    /// For how long the job that found the fault stays back, so that others are probes meanwhile.
    Duration pause() const { return pause_; }

    const std::string& sink() const { return sink_; }
    const std::string& reason() const { return reason_; }
    std::int64_t since_ms() const { return since_ms_; }

  private:
    const Clock& clock_;
    std::string queue_;  // for the log
    bool active_ = false;
    int faults_ = 0;
    Instant probe_at_{};
    Duration pause_{};
    Instant fault_at_{};     // the last one
    Instant asked_until_{};  // by Retry-After
    std::int64_t since_ms_ = 0;
    std::string sink_;
    std::string reason_;
};

}  // namespace musher
