// Cron: when a cron line is due in a time zone.
//
// Clocks that jump, by daylight saving time or because a country moves over the date line:
// - A line that names certain hours is due once per local time that it names. What a jump forward
//   leaves out is due once, at the jump; a local time that comes twice is due the first time.
// - A line for every hour (`*`, `0-23`) is due whenever the local clock shows a minute that fits.
//   So it keeps its pace: it is not due for minutes that are left out, and twice for those that
//   come twice.
#pragma once

#include <cstdint>
#include <string>

#include "sources/cron_line.h"

namespace musher::timer {

/// The first moment after `after_s` at which the line is due; both are seconds since 1970. `usage`
/// for an unknown zone. Any thread; some 30 µs, on the day of a jump 300.
Result<std::int64_t> next_due(const CronLine& line, std::int64_t after_s, const std::string& zone);

}  // namespace musher::timer
