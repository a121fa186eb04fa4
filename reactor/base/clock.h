// Time, so that tests can hold it. Monotonic for measuring, wall for people and records.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "reactor/base/error.h"

namespace musher {

using Duration = std::chrono::nanoseconds;
using Instant = std::chrono::time_point<std::chrono::steady_clock, Duration>;
using std::chrono::milliseconds;

class Clock {
  public:
    virtual ~Clock() = default;
    /// Monotonic; only differences mean something.
    virtual Instant now() const = 0;
    /// Milliseconds since 1970-01-01 UTC.
    virtual std::int64_t wall_ms() const = 0;
};

class RealClock final : public Clock {
  public:
    Instant now() const override;
    std::int64_t wall_ms() const override;
};

/// Stands still until `advance`. Loop thread.
class ManualClock final : public Clock {
  public:
    Instant now() const override { return now_; }
    std::int64_t wall_ms() const override { return wall_ms_; }
    void advance(Duration by);
    /// Somebody sets the wall clock; the monotonic one does not notice.
    void set_wall(std::int64_t wall_ms) { wall_ms_ = wall_ms; }

  private:
    Instant now_{std::chrono::hours(1)};
    std::int64_t wall_ms_ = 1'700'000'000'000;
};

/// Processor time that the calling thread has used so far.
Duration thread_cpu_time();

/// RFC 3339 UTC with milliseconds: 2023-11-14T22:13:20.000Z.
std::string format_time(std::int64_t wall_ms);
/// RFC 3339 with any offset and fraction → milliseconds since 1970; `usage` otherwise.
Result<std::int64_t> parse_time(std::string_view text);
/// strftime's `format` (up to 64 bytes) in an IANA time zone; `usage` if the zone is unknown.
Result<std::string> format_local(std::int64_t wall_ms, const std::string& zone,
                                 const std::string& format);
/// YYYY-MM-DD in an IANA time zone; `usage` if the zone is unknown. Not for the loop's hot path.
Result<std::string> format_date(std::int64_t wall_ms, const std::string& zone);

/// "250ms 2s 5m 1h 7d" → nanoseconds; `usage` with the accepted forms otherwise.
Result<Duration> parse_duration(std::string_view text);
/// The shortest form that parse_duration reads back.
std::string format_duration(Duration value);
/// "512 64KiB 10MiB 2GiB" → bytes.
Result<std::uint64_t> parse_size(std::string_view text);
std::string format_size(std::uint64_t bytes);

}  // namespace musher
