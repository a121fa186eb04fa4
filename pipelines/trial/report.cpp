#include "pipelines/trial/report.h"

#include <fmt/format.h>

#include "pipelines/config/problems.h"

namespace musher {

std::string told(const TestResult& result) {
    std::string text;
    if (!result.error.empty()) text += "  error: " + result.error + "\n";
    for (const Miss& miss : result.misses) {
        text += fmt::format("  {}: {}\n", place_text(miss.at), miss.message);
        for (std::size_t at = 0; at < miss.diff.size();) {
            const std::size_t end = miss.diff.find('\n', at);
            text += "    " + miss.diff.substr(at, end - at) + "\n";
            at = end + 1;
        }
    }
    if (result.seen.story.empty()) return text;
    text += "  what happened:\n";
    for (const Json& line : result.seen.story) {
        text += fmt::format("    {}  {} {}{}{}\n", text_in(line, "time"), text_in(line, "step"),
                            text_in(line, "what"), line.contains("detail") ? ": " : "",
                            text_in(line, "detail"));
    }
    return text;
}

Json result_json(const TestResult& result) {
    Json misses = Json::array();
    for (const Miss& miss : result.misses) {
        misses.push_back(Json{{"file", miss.at.file ? *miss.at.file : std::string()},
                              {"line", miss.at.line},
                              {"column", miss.at.column},
                              {"message", miss.message},
                              {"diff", miss.diff}});
    }
    Json json{{"pipeline", result.pipeline->name},
              {"name", result.test->name},
              {"file", result.pipeline->shown},
              {"line", result.test->at.line},
              {"ok", result.ok()},
              {"took_ms", std::chrono::duration_cast<milliseconds>(result.took).count()},
              {"outcome", result.seen.outcome},
              {"attempts", result.seen.attempts},
              {"receipts", brief_receipts(result.seen)},
              {"failures", std::move(misses)}};
    if (!result.error.empty()) json["error"] = result.error;
    return json;
}

}  // namespace musher
