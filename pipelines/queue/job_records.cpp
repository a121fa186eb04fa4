#include "pipelines/queue/job_records.h"

#include "reactor/base/clock.h"
#include "reactor/base/limits.h"
#include "reactor/base/text.h"

namespace musher {

namespace {
constexpr std::size_t kMessageBytes = 1000;
constexpr std::size_t kHintBytes = 300;
constexpr std::size_t kContextLines = 4;
constexpr std::size_t kContextBytes = 120;

/// Calls `take` with each line that is a JSON document.
template <class F>
void each_line(std::string_view lines, F take) {
    while (!lines.empty()) {
        const std::size_t end = std::min(lines.find('\n'), lines.size());
        Result<Json> read = parse_own_json(lines.substr(0, end));
        if (read) take(std::move(*read));
        lines.remove_prefix(std::min(end + 1, lines.size()));
    }
}
}  // namespace

std::string story_line(const Json& story) {
    if (!story.is_array() || story.empty()) return {};
    std::string line = to_line(story);
    if (line.size() <= limits::kStoryBytes) return line;
    // The beginning says what ran, the end why it failed: keep both, drop between.
    std::vector<std::string> parts;
    for (const Json& entry : story) parts.push_back(to_line(entry));
    const std::string gap = R"({"what":"cut"})";
    const std::size_t room = limits::kStoryBytes - gap.size() - 3;
    std::size_t used = 0;
    std::string front;
    std::string back;
    for (std::size_t i = 0; i * 2 < parts.size(); ++i) {
        const std::string& late = parts[parts.size() - 1 - i];
        if (used + late.size() + 1 > room) break;
        back = "," + late + back;
        used += late.size() + 1;
        if (i == parts.size() - 1 - i || used + parts[i].size() + 1 > room) break;
        front += parts[i] + ",";
        used += parts[i].size() + 1;
    }
    return "[" + front + gap + back + "]";
}

std::string story_line(std::string_view what, int attempt, std::int64_t wall_ms) {
    std::string line = R"([{"time":)" + std::to_string(wall_ms) + R"(,"what":")";
    line += what;
    return line + R"(","attempt":)" + std::to_string(attempt) + "}]";
}

void append_story(std::string& lines, const std::string& line) {
    if (line.empty()) return;
    if (!lines.empty()) lines += '\n';
    lines += line;
    while (lines.size() > limits::kStoryBytes) {
        const std::size_t end = lines.find('\n');
        if (end == std::string::npos) break;
        lines.erase(0, end + 1);
    }
}

Json read_story(std::string_view lines) {
    static const Json whole{{"time", nullptr}, {"what", ""},   {"step", ""},
                            {"attempt", 0},    {"took_ms", 0}, {"detail", ""}};
    Json all = Json::array();
    each_line(lines, [&](const Json& attempt) {
        if (!attempt.is_array()) return;
        for (const Json& told : attempt) {
            if (!told.is_object()) continue;
            Json& entry = all.emplace_back(whole);  // what is empty is not stored
            entry.update(told);
            // Redis has no calendar: what its scripts tell carries milliseconds.
            if (entry["time"].is_number_integer()) {
                entry["time"] = format_time(entry["time"].get<std::int64_t>());
            }
        }
    });
    return all;
}

std::string error_line(const Error& error, std::string_view step) {
    Json context = Json::array();
    for (const std::string& line : error.context) {
        if (context.size() < kContextLines) context.push_back(cut(line, kContextBytes));
    }
    return to_line(Json{{"code", info(error.code).name},
                        {"message", cut(error.message, kMessageBytes)},
                        {"hint", cut(error.hint, kHintBytes)},
                        {"context", std::move(context)},
                        {"step", step}});
}

Json read_error(std::string_view line, int attempt, std::int64_t wall_ms) {
    const Result<Json> read = parse_own_json(line);
    if (!read || !read->is_object()) return nullptr;  // not written by error_line
    Json error = to_json(error_from_json(*read));
    error["step"] = text_in(*read, "step");
    error["attempt"] = attempt;
    error["time"] = format_time(wall_ms);
    return error;
}

Json read_receipts(std::string_view lines) {
    Json all = Json::array();
    each_line(lines, [&](Json receipt) { all.push_back(std::move(receipt)); });
    return all;
}

std::string without_notes(std::string_view lines) {
    if (lines.find(R"("flow":)") == std::string_view::npos) return std::string(lines);
    std::string kept;
    each_line(lines, [&](const Json& receipt) {
        if (receipt.contains("flow")) return;
        kept += (kept.empty() ? "" : "\n") + to_line(receipt);
    });
    return kept;
}

const std::string& cancelled_line() {
    static const std::string line =
        error_line(Error(Errc::cancelled, "cancelled before it could run"), "");
    return line;
}

const std::string& released_line() {
    static const std::string line =
        error_line(Error(Errc::cancelled, "released before it could run"), "");
    return line;
}

}  // namespace musher
