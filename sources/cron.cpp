#include "sources/cron.h"

#include <algorithm>

#include "reactor/base/zone.h"

namespace musher::timer {

namespace {
constexpr std::int64_t kDay = 86'400;  // no zone jumps twice within one, nor by more than one

/// Seconds that the zone's clock is ahead of UTC.
Result<std::int64_t> offset_at(std::int64_t moment, const std::string& zone) {
    MUSHER_TRY(const std::tm parts, local_time(moment, zone));
    return parts.tm_gmtoff;
}

/// The first moment with another offset than `before`, in (from, to].
Result<std::int64_t> jump_between(std::int64_t from, std::int64_t to, std::int64_t before,
                                  const std::string& zone) {
    while (to - from > 1) {
        const std::int64_t middle = from + (to - from) / 2;
        MUSHER_TRY(const std::int64_t offset, offset_at(middle, zone));
        (offset == before ? from : to) = middle;
    }
    return to;
}

/// Goes from one jump of the clock to the next until the line is due between two.
class Walk {
  public:
    Walk(const CronLine& line, const std::string& zone) : line_(line), zone_(zone) {}
    Result<std::int64_t> from(std::int64_t after);

  private:
    Result<void> start(std::int64_t after);
    Result<bool> step();
    void jump(std::int64_t moment, std::int64_t offset);

    const CronLine& line_;
    const std::string& zone_;
    std::int64_t at_ = 0;      // looked at so far
    std::int64_t offset_ = 0;  // then
    std::int64_t passed_ = 0;  // the last civil time that is over
    std::int64_t due_ = 0;
};

Result<std::int64_t> Walk::from(std::int64_t after) {
    MUSHER_DO(start(after));
    for (;;) {
        MUSHER_TRY(const bool found, step());
        if (found) return due_;
    }
}

Result<void> Walk::start(std::int64_t after) {
    at_ = after;
    MUSHER_TRY(offset_, offset_at(at_, zone_));
    passed_ = at_ + offset_;
    if (line_.every_hour()) return {};
    MUSHER_TRY(const std::int64_t before, offset_at(at_ - kDay, zone_));
    if (before <= offset_) return {};
    // The clock has just been set back: it had shown later times already.
    MUSHER_TRY(const std::int64_t moment, jump_between(at_ - kDay, at_, before, zone_));
    passed_ = std::max(passed_, moment + before - 1);
    return {};
}

/// At most a day on; true when `due_` was found.
Result<bool> Walk::step() {
    const std::optional<std::int64_t> fits = line_.first_from(passed_ + 1);
    if (!fits) return fail(Errc::usage, "a cron line for dates that never come");
    due_ = *fits - offset_;
    if (due_ - at_ > 3 * kDay) {
        // Nothing fits before, however the clocks jump meanwhile.
        at_ = due_ - 2 * kDay;
        MUSHER_TRY(offset_, offset_at(at_, zone_));
        return false;
    }
    const std::int64_t until = std::min(due_, at_ + kDay);
    MUSHER_TRY(const std::int64_t offset, offset_at(until, zone_));
    if (offset == offset_) {
        at_ = until;
        return until == due_;
    }
    MUSHER_TRY(const std::int64_t moment, jump_between(at_, until, offset_, zone_));
    if (due_ < moment) return true;
    const bool left_out = *fits < moment + offset;
    jump(moment, offset);
    due_ = moment;
    return left_out && !line_.every_hour();
}

void Walk::jump(std::int64_t moment, std::int64_t offset) {
    const std::int64_t shown = moment + offset - 1;
    passed_ = line_.every_hour() ? shown : std::max(shown, moment + offset_ - 1);
    at_ = moment;
    offset_ = offset;
}
}  // namespace

Result<std::int64_t> next_due(const CronLine& line, std::int64_t after_s, const std::string& zone) {
    return Walk(line, zone).from(after_s);
}

}  // namespace musher::timer
