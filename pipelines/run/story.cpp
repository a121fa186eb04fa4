#include "pipelines/run/story.h"

namespace musher {

namespace {
constexpr std::size_t kLines = 64;
constexpr std::size_t kDetailBytes = 400;
}  // namespace

void Story::tell(std::string_view what, const std::string& step, Duration took,
                 const std::string& detail) {
    if (lines_.size() >= kLines) lines_.erase(kLines - 1);  // how it ended is always told
    Json line{{"time", format_time(clock_.wall_ms())}, {"what", what}, {"attempt", attempt_}};
    if (!step.empty()) {
        line["step"] = step;
        line["took_ms"] = std::chrono::duration_cast<milliseconds>(took).count();
    }
    if (!detail.empty()) line["detail"] = detail.substr(0, kDetailBytes);
    lines_.push_back(std::move(line));
}

}  // namespace musher
