#include "reactor/base/clock.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <ctime>

#include "reactor/base/zone.h"

namespace musher {

Instant RealClock::now() const { return std::chrono::steady_clock::now(); }

std::int64_t RealClock::wall_ms() const {
    using std::chrono::system_clock;
    return std::chrono::duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

void ManualClock::advance(Duration by) {
    now_ += by;
    wall_ms_ += std::chrono::duration_cast<milliseconds>(by).count();
}

Duration thread_cpu_time() {
    std::timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return std::chrono::seconds(now.tv_sec) + Duration(now.tv_nsec);
}

/// By hand: every job is told of several times.
std::string format_time(std::int64_t wall_ms) {
    using namespace std::chrono;
    constexpr std::int64_t kFirst = -62'167'219'200'000;  // 0000-01-01
    constexpr std::int64_t kLast = 253'402'300'799'999;   // 9999-12-31: the format ends there
    const sys_time<milliseconds> moment{milliseconds(std::clamp(wall_ms, kFirst, kLast))};
    const auto day = floor<days>(moment);
    const year_month_day date(day);
    const hh_mm_ss clock(moment - day);
    std::string text = "0000-00-00T00:00:00.000Z";
    const auto put = [&text](std::size_t last, std::int64_t number) {
        for (; number > 0; number /= 10, --last) text[last] = static_cast<char>('0' + number % 10);
    };
    put(3, static_cast<int>(date.year()));
    put(6, static_cast<unsigned>(date.month()));
    put(9, static_cast<unsigned>(date.day()));
    put(12, clock.hours().count());
    put(15, clock.minutes().count());
    put(18, clock.seconds().count());
    put(22, clock.subseconds().count());
    return text;
}

namespace {
struct Unit {
    std::string_view suffix;
    std::uint64_t factor;
};
constexpr std::array kDurationUnits = {
    Unit{"ms", 1'000'000},           Unit{"s", 1'000'000'000},
    Unit{"m", 60'000'000'000},       Unit{"h", 3'600'000'000'000},
    Unit{"d", 86'400'000'000'000},
};
constexpr std::array kSizeUnits = {
    Unit{"KiB", 1ULL << 10}, Unit{"MiB", 1ULL << 20}, Unit{"GiB", 1ULL << 30},
    Unit{"TiB", 1ULL << 40}, Unit{"B", 1},            Unit{"", 1},
};

template <std::size_t N>
Result<std::uint64_t> parse_units(std::string_view text, const std::array<Unit, N>& units,
                                  std::string_view expected) {
    const auto wrong = [&] {
        return fail(Errc::usage, fmt::format("'{}' is not {}", text, expected));
    };
    std::uint64_t number = 0;
    const char* end = text.data() + text.size();
    const auto [rest, failed] = std::from_chars(text.data(), end, number);
    if (failed != std::errc() || rest == text.data()) return wrong();
    const std::string_view suffix(rest, static_cast<std::size_t>(end - rest));
    for (const Unit& unit : units) {
        if (unit.suffix != suffix) continue;
        if (number > static_cast<std::uint64_t>(INT64_MAX) / unit.factor) return wrong();
        return number * unit.factor;
    }
    return wrong();
}

template <std::size_t N>
std::string format_units(std::uint64_t value, const std::array<Unit, N>& units) {
    const Unit* best = nullptr;
    for (const Unit& unit : units) {
        if (value % unit.factor == 0 && (!best || unit.factor > best->factor)) best = &unit;
    }
    if (value == 0 || !best) best = &units.front();
    return fmt::format("{}{}", value / best->factor, best->suffix);
}
}  // namespace

namespace {
/// Reads exactly `digits` digits; false when there are fewer.
bool take_number(std::string_view& text, std::size_t digits, int& number) {
    if (text.size() < digits) return false;
    const auto [rest, failed] = std::from_chars(text.data(), text.data() + digits, number);
    if (failed != std::errc() || rest != text.data() + digits || number < 0) return false;
    text.remove_prefix(digits);
    return true;
}
bool take_char(std::string_view& text, std::string_view any_of) {
    if (text.empty() || any_of.find(text.front()) == std::string_view::npos) return false;
    text.remove_prefix(1);
    return true;
}

/// ".123" → 123; further digits are dropped.
bool take_fraction(std::string_view& text, int& ms) {
    if (!take_char(text, ".")) return true;
    const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    for (std::size_t i = 0; i < 3; ++i) ms = ms * 10 + (i < digits ? text[i] - '0' : 0);
    text.remove_prefix(digits);
    return digits > 0;
}

/// "Z" or "+02:00" → minutes east of Greenwich.
bool take_offset(std::string_view& text, int& minutes) {
    if (take_char(text, "Zz")) return true;
    const int sign = !text.empty() && text.front() == '-' ? -1 : 1;
    int hours = 0;
    if (!take_char(text, "+-") || !take_number(text, 2, hours) || !take_char(text, ":") ||
        !take_number(text, 2, minutes)) {
        return false;
    }
    minutes = sign * (hours * 60 + minutes);
    return true;
}
}  // namespace

Result<std::int64_t> parse_time(std::string_view text) {
    std::tm parts{};
    int ms = 0;
    int offset = 0;
    const bool read = take_number(text, 4, parts.tm_year) && take_char(text, "-") &&
                      take_number(text, 2, parts.tm_mon) && take_char(text, "-") &&
                      take_number(text, 2, parts.tm_mday) && take_char(text, "Tt ") &&
                      take_number(text, 2, parts.tm_hour) && take_char(text, ":") &&
                      take_number(text, 2, parts.tm_min) && take_char(text, ":") &&
                      take_number(text, 2, parts.tm_sec) && take_fraction(text, ms) &&
                      take_offset(text, offset) && text.empty();
    if (!read || parts.tm_mon < 1 || parts.tm_mon > 12 || parts.tm_mday < 1 ||
        parts.tm_mday > 31 || parts.tm_hour > 23 || parts.tm_min > 59 || parts.tm_sec > 60) {
        return fail(Errc::usage, "not a time; write it as 2023-11-14T22:13:20.000Z");
    }
    parts.tm_year -= 1900;
    parts.tm_mon -= 1;
    return (static_cast<std::int64_t>(timegm(&parts)) - std::int64_t{60} * offset) * 1000 + ms;
}

Result<std::string> format_local(std::int64_t wall_ms, const std::string& zone,
                                 const std::string& format) {
    if (format.size() > 64) return fail(Errc::usage, "a time format has at most 64 bytes");
    MUSHER_TRY(const std::tm parts, local_time(static_cast<std::time_t>(wall_ms / 1000), zone));
    char text[1024];  // the longest conversion is far under 16 bytes per format byte
    return std::string(text, std::strftime(text, sizeof text, format.c_str(), &parts));
}

Result<std::string> format_date(std::int64_t wall_ms, const std::string& zone) {
    MUSHER_TRY(const std::tm parts, local_time(static_cast<std::time_t>(wall_ms / 1000), zone));
    return fmt::format("{:04}-{:02}-{:02}", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday);
}

Result<Duration> parse_duration(std::string_view text) {
    if (text == "0") return Duration(0);
    MUSHER_TRY(const std::uint64_t ns,
               parse_units(text, kDurationUnits, "a duration; write 250ms, 2s, 5m, 1h or 7d"));
    return Duration(ns);
}

std::string format_duration(Duration value) {
    return format_units(static_cast<std::uint64_t>(value.count()), kDurationUnits);
}

Result<std::uint64_t> parse_size(std::string_view text) {
    return parse_units(text, kSizeUnits, "a size; write 512, 64KiB, 10MiB or 2GiB");
}

std::string format_size(std::uint64_t bytes) {
    if (bytes < 1024) return fmt::format("{}", bytes);
    return format_units(bytes, kSizeUnits);
}

}  // namespace musher
