#include "sources/cron_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <vector>

namespace musher::timer {

namespace {
constexpr std::int64_t kMinute = 60;
constexpr std::int64_t kHour = 3600;
constexpr std::int64_t kDay = 86'400;
constexpr int kFarthest = 9 * 366;  // days; from 29 February 2096 to the next one are 8 years

struct FieldKind {
    std::string_view name;
    int least;
    int most;
    std::vector<std::string_view> names = {};  // of `least` and on
};

const std::array<FieldKind, 5>& field_kinds() {
    static const std::array<FieldKind, 5> kAll = {
        FieldKind{"minute", 0, 59},
        FieldKind{"hour", 0, 23},
        FieldKind{"day-of-month", 1, 31},
        FieldKind{
            "month",
            1,
            12,
            {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
        FieldKind{"day-of-week", 0, 7, {"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
    };
    return kAll;
}

using Chosen = std::bitset<60>;  // of one field, by number

Error wrong(const FieldKind& kind, std::string_view found, std::string hint) {
    std::string wanted = fmt::format("{} to {}", kind.least, kind.most);
    if (!kind.names.empty()) {
        wanted += fmt::format(", or {} to {}", kind.names.front(), kind.names.back());
    }
    return Error(Errc::usage, fmt::format("{} wants {}, found `{}`", kind.name, wanted, found),
                 std::move(hint));
}

std::optional<int> whole_number(std::string_view text) {
    int number = 0;
    const char* end = text.data() + text.size();
    const auto [rest, failed] = std::from_chars(text.data(), end, number);
    if (failed != std::errc() || rest != end || number < 0) return std::nullopt;
    return number;
}

Result<int> read_point(const FieldKind& kind, std::string_view text) {
    std::string lower(text);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    const auto named = std::find(kind.names.begin(), kind.names.end(), lower);
    if (named != kind.names.end()) {
        return kind.least + static_cast<int>(named - kind.names.begin());
    }
    const std::optional<int> number = whole_number(text);
    if (!number || *number < kind.least || *number > kind.most) return fail(wrong(kind, text, ""));
    return *number;
}

/// `*`, `5`, `mon-fri`, `*/10` or `0-30/10`.
Result<void> read_part(const FieldKind& kind, std::string_view part, Chosen& chosen) {
    const std::size_t slash = part.find('/');
    const std::string_view range = part.substr(0, slash);
    const std::size_t dash = range.find('-');
    int first = kind.least;
    int last = kind.most;
    if (range != "*") {
        MUSHER_TRY(first, read_point(kind, range.substr(0, dash)));
        last = first;
        if (dash != std::string_view::npos) {
            MUSHER_TRY(last, read_point(kind, range.substr(dash + 1)));
            const bool to_sunday = kind.most == 7 && last == 0 && first > 0;
            if (to_sunday) last = 7;
        }
    }
    if (last < first) {
        return fail(wrong(kind, part,
                          fmt::format("a range begins with the smaller one; write "
                                      "{}-{},{}-{}",
                                      first, kind.most, kind.least, last)));
    }
    int step = 1;
    if (slash != std::string_view::npos) {
        const std::optional<int> given = whole_number(part.substr(slash + 1));
        const bool ranged = range == "*" || dash != std::string_view::npos;
        if (!ranged || !given || *given < 1 || *given > kind.most) {
            return fail(wrong(
                kind, part,
                fmt::format("a step is written */10 or 0-30/10, and is from 1 to {}", kind.most)));
        }
        step = *given;
    }
    for (int at = first; at <= last; at += step) chosen.set(static_cast<std::size_t>(at));
    return {};
}

Result<Chosen> read_field(const FieldKind& kind, std::string_view text) {
    Chosen chosen;
    for (std::string_view rest = text;;) {
        const std::size_t comma = rest.find(',');
        MUSHER_DO(read_part(kind, rest.substr(0, comma), chosen));
        if (comma == std::string_view::npos) return chosen;
        rest.remove_prefix(comma + 1);
    }
}

template <std::size_t N>
std::bitset<N> narrowed(const Chosen& chosen) {
    std::bitset<N> bits;
    for (std::size_t i = 0; i < N; ++i) bits[i] = chosen[i];
    return bits;
}

std::vector<std::string_view> words_of(std::string_view text) {
    std::vector<std::string_view> words;
    for (;;) {
        const std::size_t begin = text.find_first_not_of(" \t");
        if (begin == std::string_view::npos) return words;
        text.remove_prefix(begin);
        const std::size_t end = std::min(text.find_first_of(" \t"), text.size());
        words.push_back(text.substr(0, end));
        text.remove_prefix(end);
    }
}

/// What an @name stands for.
Result<std::string_view> expand(std::string_view name) {
    constexpr std::pair<std::string_view, std::string_view> kNames[] = {
        {"@hourly", "0 * * * *"},  {"@daily", "0 0 * * *"},  {"@weekly", "0 0 * * 0"},
        {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"},
    };
    for (const auto& [known, line] : kNames) {
        if (known == name) return line;
    }
    return fail(Errc::usage, fmt::format("there is no `{}`", name),
                "write @hourly, @daily, @weekly, @monthly or @yearly, or five fields");
}
}  // namespace

Result<CronLine> CronLine::parse(std::string_view text) {
    std::vector<std::string_view> words = words_of(text);
    if (words.size() == 1 && words[0].starts_with('@')) {
        MUSHER_TRY(const std::string_view line, expand(words[0]));
        words = words_of(line);
    }
    if (words.size() != field_kinds().size()) {
        return fail(Errc::usage, fmt::format("five fields are wanted, found {}", words.size()),
                    "they are minute, hour, day-of-month, month and day-of-week: 30 6 * * mon-fri");
    }
    std::array<Chosen, 5> fields;
    for (std::size_t i = 0; i < fields.size(); ++i) {
        MUSHER_TRY(fields[i], read_field(field_kinds()[i], words[i]));
    }
    CronLine line;
    line.minutes_ = fields[0];
    line.hours_ = narrowed<24>(fields[1]);
    line.days_ = narrowed<32>(fields[2]);
    line.months_ = narrowed<13>(fields[3]);
    line.weekdays_ = narrowed<8>(fields[4]);
    if (line.weekdays_[7]) line.weekdays_[0] = true;
    line.weekdays_[7] = false;
    line.either_day_ = !words[2].starts_with('*') && !words[4].starts_with('*');
    if (!line.first_from(0)) {
        return fail(Errc::usage, "there is no such date",
                    "day-of-month and month do not come together");
    }
    return line;
}

bool CronLine::fits_day(std::int64_t day) const {
    const std::chrono::sys_days date{std::chrono::days(day)};
    const std::chrono::year_month_day parts(date);
    if (!months_[unsigned(parts.month())]) return false;
    const bool by_month = days_[unsigned(parts.day())];
    const bool by_week = weekdays_[std::chrono::weekday(date).c_encoding()];
    return either_day_ ? by_month || by_week : by_month && by_week;
}

std::optional<std::int64_t> CronLine::first_from(std::int64_t from_s) const {
    using std::chrono::ceil;
    using std::chrono::floor;
    const std::int64_t from =
        ceil<std::chrono::minutes>(std::chrono::seconds(from_s)).count() * kMinute;
    std::int64_t day = floor<std::chrono::days>(std::chrono::seconds(from)).count();
    std::int64_t time = from - day * kDay;
    for (int looked = 0; looked < kFarthest; ++looked, ++day, time = 0) {
        if (!fits_day(day)) continue;
        for (std::int64_t hour = time / kHour; hour < 24; ++hour) {
            if (!hours_[static_cast<std::size_t>(hour)]) continue;
            for (std::int64_t minute = 0; minute < 60; ++minute) {
                const std::int64_t at = hour * kHour + minute * kMinute;
                if (at >= time && minutes_[static_cast<std::size_t>(minute)]) {
                    return day * kDay + at;
                }
            }
        }
    }
    return std::nullopt;
}

}  // namespace musher::timer
