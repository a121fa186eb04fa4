// CronLine: which minutes of the calendar a cron expression means; knows no time zone.
#pragma once

#include <bitset>
#include <cstdint>
#include <optional>
#include <string_view>

#include "reactor/base/error.h"

namespace musher::timer {

/// Five fields: minute, hour, day-of-month, month, day-of-week, or one of @hourly @daily @weekly
/// @monthly @yearly. A field is `*` or a list of numbers, names (jan, sun) and ranges; `*` and
/// ranges may have a step. Sunday is 0 or 7. As in Vixie cron a day must fit both day fields if one
/// of them begins with `*`, and else only one of them.
class CronLine {
  public:
    /// `usage` names the field and what it takes; also for dates that never come.
    static Result<CronLine> parse(std::string_view text);

    /// The first minute that fits, from `from_s` on; nothing when there is none for 9 years, which
    /// parse() has excluded. Both are civil time: the seconds that a UTC clock showing it counts.
    std::optional<std::int64_t> first_from(std::int64_t from_s) const;
    bool every_hour() const { return hours_.all(); }

  private:
    CronLine() = default;
    bool fits_day(std::int64_t day) const;

    std::bitset<60> minutes_;
    std::bitset<24> hours_;
    std::bitset<32> days_;
    std::bitset<13> months_;
    std::bitset<8> weekdays_;  // from Sunday; 7 is never set
    bool either_day_ = false;  // day-of-month or day-of-week
};

}  // namespace musher::timer
