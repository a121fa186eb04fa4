#include "sources/schedule.h"

#include <fmt/format.h>

#include <cstring>

#include "reactor/base/digest.h"
#include "sources/cron.h"

namespace musher::timer {

namespace {
constexpr std::int64_t kClosest = 1000;  // two due times are at least so far apart

/// From 0 up to, but without, `span`: always the same for the same text.
std::int64_t part_of(std::int64_t span, const std::string& text) {
    Digest digest(DigestKind::sha256);
    digest.update(as_bytes(text));
    std::uint32_t drawn = 0;
    std::memcpy(&drawn, digest.bytes().data(), sizeof drawn);
    const double fraction = static_cast<double>(drawn) / 4'294'967'296.0;
    return static_cast<std::int64_t>(fraction * static_cast<double>(span));
}

/// The next smaller whole number for times before 1970, too.
std::int64_t floor_div(std::int64_t number, std::int64_t by) {
    return number / by - (number % by < 0 ? 1 : 0);
}
}  // namespace

Result<Schedule> Schedule::from(const Options& options, const std::string& timezone,
                                std::string salt) {
    Schedule schedule;
    if (options.has("cron")) {
        schedule.cron_text_ = options.text("cron");
        MUSHER_TRY(schedule.cron_, CronLine::parse(schedule.cron_text_));
    }
    schedule.every_ms_ = options.duration("every").count();
    schedule.jitter_ms_ = options.duration("jitter").count();
    schedule.timezone_ = timezone;
    schedule.salt_ = std::move(salt);
    return schedule;
}

std::string Schedule::text() const {
    return cron_ ? fmt::format("cron {} {}", cron_text_, timezone_)
                 : fmt::format("every {}ms", every_ms_);
}

Result<std::int64_t> Schedule::due_after(std::int64_t ms) const {
    if (!cron_) return (floor_div(ms, every_ms_) + 1) * every_ms_;
    MUSHER_TRY(const std::int64_t seconds, next_due(*cron_, floor_div(ms, 1000), timezone_));
    return seconds * 1000;
}

Result<Firing> Schedule::firing(std::int64_t due_ms) const {
    if (jitter_ms_ == 0) return Firing{due_ms, due_ms};
    MUSHER_TRY(const std::int64_t next_ms, due_after(due_ms));
    const std::int64_t span = std::min(jitter_ms_, next_ms - due_ms);
    return Firing{due_ms, due_ms + part_of(span, fmt::format("{} {}", salt_, due_ms))};
}

Result<Firing> Schedule::after(std::int64_t ms) const {
    MUSHER_TRY(const std::int64_t due_ms, due_after(ms));
    return firing(due_ms);
}

/// The last due time that is not after `until_ms`; `due_ms` is one of them.
Result<std::int64_t> Schedule::last_due(std::int64_t due_ms, std::int64_t until_ms) const {
    std::int64_t none_after = until_ms;
    while (none_after - due_ms >= kClosest) {
        const std::int64_t middle = due_ms + (none_after - due_ms) / 2;
        MUSHER_TRY(const std::int64_t next_ms, due_after(middle));
        if (next_ms > until_ms) {
            none_after = middle;
        } else {
            due_ms = next_ms;
        }
    }
    return due_ms;
}

Result<Firing> Schedule::last_by(std::int64_t now_ms, Firing first) const {
    MUSHER_TRY(const std::int64_t due_ms, last_due(first.due_ms, now_ms));
    MUSHER_TRY(const Firing last, firing(due_ms));
    if (last.at_ms <= now_ms) return last;
    // It waits for its jitter; the one before it does not.
    MUSHER_TRY(const std::int64_t before_ms, last_due(first.due_ms, due_ms - 1));
    return firing(before_ms);
}

}  // namespace musher::timer
