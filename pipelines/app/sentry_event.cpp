#include "pipelines/app/sentry_event.h"

#include <algorithm>
#include <charconv>

#include "reactor/base/text.h"

namespace musher {

namespace {
constexpr std::size_t kLongest = 8 << 10;
constexpr std::size_t kLongestTag = 200;
constexpr std::chrono::seconds kUnnamedPause{60};
constexpr std::chrono::hours kLongestPause{1};

std::string cut(std::string text, std::size_t most) {
    if (text.size() <= most) return text;
    text.resize(most);
    while (!text.empty() && !is_utf8(text)) text.pop_back();
    return text;
}

const char* level_name(const SentryRecord& record) {
    switch (record.level) {
        case log::Level::debug:
            return "debug";
        case log::Level::info:
            return "info";
        case log::Level::warning:
            return record.event == "job.dead" ? "error" : "warning";
        case log::Level::error:
            return "error";
    }
    return "error";
}

/// "job.dead: no such file": what stands in Sentry's list.
std::string title(const SentryRecord& record) {
    for (const char* name : {"error", "reason", "message", "problem"}) {
        const std::string text = text_in(record.fields, name);
        if (!text.empty()) return record.event + ": " + text;
    }
    return record.event;
}

/// "60:error;default:organization:reason" → 60 s, unless it is about other things than events.
std::chrono::seconds limit_of(std::string_view one) {
    const std::size_t colon = std::min(one.find(':'), one.size());
    int seconds = 0;
    const auto [end, bad] = std::from_chars(one.data(), one.data() + colon, seconds);
    if (bad != std::errc() || end != one.data() + colon) return kUnnamedPause;
    one.remove_prefix(std::min(colon + 1, one.size()));
    std::string_view kinds = one.substr(0, one.find(':'));
    bool ours = kinds.empty();
    while (!kinds.empty()) {
        const std::string_view kind = kinds.substr(0, kinds.find(';'));
        ours = ours || kind == "error" || kind == "default";
        kinds.remove_prefix(std::min(kind.size() + 1, kinds.size()));
    }
    return std::chrono::seconds(ours ? std::max(seconds, 0) : 0);
}
}  // namespace

std::string sentry_envelope(const SentryRecord& record, const std::string& node) {
    Json extra = Json::object();
    for (const auto& [name, value] : record.fields.items()) {
        extra[name] = value.is_string() ? Json(cut(value.get<std::string>(), kLongest)) : value;
    }
    Json tags{{"event", record.event}};
    Json fingerprint{record.event};
    for (const char* name : {"pipeline", "step"}) {
        const std::string text = text_in(record.fields, name);
        if (text.empty()) continue;
        tags[name] = cut(text, kLongestTag);
        fingerprint.push_back(text);
    }
    const Json event{{"event_id", record.id},
                     {"timestamp", format_time(record.time_ms)},
                     {"platform", "native"},
                     {"level", level_name(record)},
                     {"logger", "musher"},
                     {"server_name", node},
                     {"release", "musher@" MUSHER_VERSION},
                     {"logentry", {{"formatted", cut(title(record), kLongest)}}},
                     {"tags", std::move(tags)},
                     {"fingerprint", std::move(fingerprint)},
                     {"extra", std::move(extra)}};
    const std::string payload = to_line(event);
    const Json head{{"event_id", record.id}};
    const Json item{
        {"type", "event"}, {"content_type", "application/json"}, {"length", payload.size()}};
    return to_line(head) + "\n" + to_line(item) + "\n" + payload + "\n";
}

milliseconds sentry_pause(int status, const std::string& limits, milliseconds retry_after) {
    std::chrono::seconds longest{0};
    for (std::size_t from = 0; from < limits.size();) {
        const std::size_t comma = std::min(limits.find(',', from), limits.size());
        std::string_view one = std::string_view(limits).substr(from, comma - from);
        one.remove_prefix(std::min(one.find_first_not_of(' '), one.size()));
        longest = std::max(longest, limit_of(one));
        from = comma + 1;
    }
    longest = std::min<std::chrono::seconds>(longest, kLongestPause);
    if (status != 429 || longest.count() > 0) return longest;
    return retry_after.count() > 0 ? retry_after : milliseconds(kUnnamedPause);
}

}  // namespace musher
