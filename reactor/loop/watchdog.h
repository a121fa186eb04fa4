// Counts and names whatever holds the loop for longer than it may.
#pragma once

#include <map>
#include <string>

#include "reactor/base/clock.h"

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

  private:
    Duration limit_;
    std::map<std::string, Offender> offenders_;
    std::uint64_t calls_over_ = 0;
    bool inside_ = false;
};

}  // namespace musher
