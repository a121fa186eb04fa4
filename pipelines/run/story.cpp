#include "pipelines/run/story.h"

#include <fmt/format.h>

#include "pipelines/run/teletype.h"

namespace musher {

namespace {
constexpr std::size_t kLines = 64;
constexpr std::size_t kDetailBytes = 400;

void show(const Surroundings& around, const Claim& claim, const std::string& line) {
    const Job& job = claim.job;
    const std::string name = text_in(job.event.facts, "name");
    std::string heading = "START PROCESSING " + (name.empty() ? job.id : name);
    if (job.on_failure) heading += " (on_failure)";
    if (claim.attempt > 1) heading += fmt::format(" (attempt {})", claim.attempt);
    around.teletype->tell(fmt::format("{} {}", job.id, claim.attempt), heading, line);
}

bool shown(const Surroundings& around) { return around.teletype && around.teletype->on(); }

std::string detail_line(std::string_view what, milliseconds took, const std::string& detail) {
    if (what == "failed") return "····FAILED: " + detail;
    if (what != "ran") return fmt::format("····{}: {}", what, detail);
    return fmt::format("····done, {} ms{}{}", took.count(), detail.empty() ? "" : ": ", detail);
}
}  // namespace

void Story::begin(const std::string& step) {
    if (!shown(around_)) return;
    show(around_, claim_, "→ " + step);
    begun_ = step;
}

void Story::tell(std::string_view what, const std::string& step, Duration took,
                 const std::string& detail) {
    if (lines_.size() >= kLines) lines_.erase(kLines - 1);  // how it ended is always told
    const milliseconds took_ms = std::chrono::duration_cast<milliseconds>(took);
    Json line{{"time", format_time(around_.loop.clock().wall_ms())},
              {"what", what},
              {"attempt", claim_.attempt}};
    if (!step.empty()) {
        line["step"] = step;
        line["took_ms"] = took_ms.count();
    }
    if (!detail.empty()) line["detail"] = detail.substr(0, kDetailBytes);
    lines_.push_back(std::move(line));
    if (!shown(around_)) return;
    if (begun_ != step && !step.empty()) begin(step);
    show(around_, claim_, detail_line(what, took_ms, detail));
}

void Story::close(const Surroundings& around, const Claim& claim, std::string_view end) {
    if (shown(around)) show(around, claim, std::string(end));
}

}  // namespace musher
