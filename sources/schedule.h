// Schedule: when a timer is due; the same for every reactor, without a word between them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "reactor/component/schema.h"
#include "sources/cron_line.h"

namespace musher::timer {

/// One time that a timer is due, which names it, and the moment at which it fires: later by a part
/// of the jitter, but before the next one is due. Milliseconds since 1970.
struct Firing {
    std::int64_t due_ms = 0;
    std::int64_t at_ms = 0;
};

/// Immutable; any thread. Calls take up to 1 ms.
class Schedule {
  public:
    /// Of the options `every` (multiples of it since 1970-01-01 UTC) or `cron` (in `timezone`).
    /// `salt` makes timers with one schedule differ in their jitter.
    static Result<Schedule> from(const Options& options, const std::string& timezone,
                                 std::string salt);

    /// The first one that is due after this; `usage` when tzdata has lost the zone.
    Result<Firing> after(std::int64_t ms) const;
    /// The last one that has fired by `now_ms`, from `first` on, which has.
    Result<Firing> last_by(std::int64_t now_ms, Firing first) const;

    const std::string& timezone() const { return timezone_; }
    /// Changes when it is due at other times.
    std::string text() const;

  private:
    Result<std::int64_t> due_after(std::int64_t ms) const;
    Result<std::int64_t> last_due(std::int64_t due_ms, std::int64_t until_ms) const;
    Result<Firing> firing(std::int64_t due_ms) const;

    std::int64_t every_ms_ = 0;
    std::optional<CronLine> cron_;
    std::string cron_text_;
    std::string timezone_;
    std::string salt_;
    std::int64_t jitter_ms_ = 0;
};

}  // namespace musher::timer
