// Counts and names whatever holds the loop for longer than it may.
#pragma once

#include <array>
#include <map>
#include <string>

#include "reactor/base/clock.h"
#include "reactor/base/histogram.h"

namespace musher {

/// Loop thread only.
class Watchdog {
  public:
    explicit Watchdog(Duration limit) : limit_(limit) {}

    /// Times one call on the loop; wraps every callback that libuv or a driver makes.
    class Call {
      public:
        Call(Watchdog& dog, const char* name);
        Call(const Call&) = delete;
        ~Call();

      private:
        Watchdog& dog_;
        const char* name_;
        Instant began_;
        bool outermost_;
    };

    struct Offender {
        std::uint64_t calls = 0;
        Duration longest{0};
    };
    const std::map<std::string, Offender>& offenders() const { return offenders_; }
    std::uint64_t calls_over() const { return calls_over_; }
    /// Each turn of the loop that did something: for how long everything else waited.
    const Histogram& turns() const { return turns_; }
    Duration longest_turn() const { return longest_turn_; }
    /// The loop is about to wait for events.
    void end_turn();

  private:
    static constexpr std::array kTurns = {0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
                                          0.01,    0.025,  0.05,    0.1,    0.25,  0.5,    1.0};

    Duration limit_;
    std::map<std::string, Offender> offenders_;
    std::uint64_t calls_over_ = 0;
    bool inside_ = false;
    Duration turn_{0};  // of calls since the loop waited
    Duration longest_turn_{0};
    Histogram turns_{kTurns};
};

}  // namespace musher
