#include "pipelines/app/top_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "pipelines/verb/verb_text.h"

namespace musher {

namespace {
constexpr std::array<std::string_view, 6> kOrders = {"name",  "waiting", "running",
                                                     "speed", "dead",    "oldest"};
constexpr std::string_view kKeys =
    "q quit   order: n name  w waiting  r running  s speed  d dead  o oldest   R reverse";
constexpr std::string_view kInverse = "\x1b[7m", kPlain = "\x1b[m";
constexpr int kAround = 4;  // lines beside the rows: summary, blank, heading, keys

/// The first `columns` characters.
std::string clip(std::string_view text, int columns) {
    std::size_t end = 0;
    for (int taken = 0; end < text.size(); ++end) {
        const bool begins = (static_cast<unsigned char>(text[end]) & 0xc0) != 0x80;
        if (begins && taken++ == columns) break;
    }
    return std::string(text.substr(0, end));
}

struct Ranked {
    const Json* row;
    double value;
};

double value_of(const Json& row, const Rates& rates, TopOrder order) {
    switch (order) {
        case TopOrder::name:
            return 0;
        case TopOrder::waiting:
            return static_cast<double>(size_in(row, "waiting") + size_in(row, "delayed"));
        case TopOrder::running:
            return static_cast<double>(size_in(row, "running"));
        case TopOrder::speed:
            return rates.of(text_in(row, "name")).value_or(0);
        case TopOrder::dead:
            return static_cast<double>(size_in(row, "dead"));
        case TopOrder::oldest:
            return static_cast<double>(size_in(row, "oldest_ms"));
    }
    return 0;
}

/// The largest first, equal ones by name.
std::vector<Ranked> ranked(const Json& status, const Rates& rates, const TopView& view) {
    std::vector<Ranked> rows;
    for (const Json& row : status["pipelines"]) {
        rows.push_back(Ranked{&row, value_of(row, rates, view.order)});
    }
    std::sort(rows.begin(), rows.end(), [](const Ranked& a, const Ranked& b) {
        if (a.value != b.value) return a.value > b.value;
        return text_in(*a.row, "name") < text_in(*b.row, "name");
    });
    if (view.reverse) std::reverse(rows.begin(), rows.end());
    return rows;
}

std::string speed_text(const std::optional<double>& rate) {
    return rate ? fmt::format("{:.1f}/s", *rate) : "-";
}

std::string summary(const Json& status, const Rates& rates) {
    std::uint64_t waiting = 0, running = 0;
    double speed = 0;
    bool known = false;
    for (const Json& row : status["pipelines"]) {
        waiting += size_in(row, "waiting") + size_in(row, "delayed");
        running += size_in(row, "running");
        const auto rate = rates.of(text_in(row, "name"));
        known = known || rate;
        speed += rate.value_or(0);
    }
    return fmt::format("musher {} on {}: {} pipelines, {} waiting, {} running{}; queue {}",
                       shown(status["version"]), shown(status["node"]), status["pipelines"].size(),
                       waiting, running, known ? ", " + speed_text(speed) : "",
                       flag_in(status["queue"], "ok") ? "ok" : "AWAY");
}
}  // namespace

void Rates::take(const Json& status, Instant at) {
    std::map<std::string, Seen> seen;
    const double span = std::chrono::duration<double>(at - at_).count();
    for (const Json& row : status["pipelines"]) {
        const std::string name = text_in(row, "name");
        Seen& now = seen[name];
        now.ended = size_in(row, "ended");
        const auto before = seen_.find(name);
        if (before == seen_.end() || span <= 0) continue;
        const std::uint64_t from = std::min(before->second.ended, now.ended);
        now.rate = static_cast<double>(now.ended - from) / span;
    }
    seen_ = std::move(seen);
    at_ = at;
}

std::optional<double> Rates::of(const std::string& pipeline) const {
    const auto found = seen_.find(pipeline);
    return found == seen_.end() ? std::nullopt : found->second.rate;
}

std::optional<TopOrder> top_order(std::string_view name) {
    const auto found = std::find(kOrders.begin(), kOrders.end(), name);
    if (found == kOrders.end()) return std::nullopt;
    return static_cast<TopOrder>(found - kOrders.begin());
}

std::optional<TopOrder> top_order(char key) {
    for (const std::string_view name : kOrders) {
        if (name.front() == key) return top_order(name);
    }
    return std::nullopt;
}

std::string top_text(const Json& status, const Rates& rates, const TopView& view) {
    std::vector<std::vector<std::string>> rows = {{"PIPELINE", "STATE", "WAITING", "DELAYED",
                                                   "RUNNING", "SPEED", "DONE", "DEAD", "OLDEST",
                                                   "PROBLEM"}};
    for (const Ranked& one : ranked(status, rates, view)) {
        const Json& row = *one.row;
        rows.push_back({shown(row["name"]), shown(row["state"]), shown(row["waiting"]),
                        shown(row["delayed"]), shown(row["running"]),
                        speed_text(rates.of(text_in(row, "name"))), shown(row["done"]),
                        shown(row["dead"]), age(row["oldest_ms"].get<std::int64_t>()),
                        row["problem"].is_null() ? "" : shown(row["problem"])});
    }
    std::string all = table(rows);
    if (!view.screen) return summary(status, rates) + "\n\n" + all;
    const int columns = view.screen->columns;
    std::string text = clip(summary(status, rates), columns) + "\n\n";
    int room = std::max(view.screen->rows - kAround + 1, 1);  // with the heading
    bool heading = true;
    for (std::size_t from = 0; from < all.size() && room-- > 0;) {
        const std::size_t end = all.find('\n', from);
        const std::string line = clip(std::string_view(all).substr(from, end - from), columns);
        if (heading) {
            text.append(kInverse).append(fmt::format("{:<{}}", line, columns)).append(kPlain);
        } else {
            text += line;
        }
        text += '\n';
        heading = false;
        from = end + 1;
    }
    // The last line has no end: the screen would move up.
    return text + clip(view.notice.empty() ? kKeys : std::string_view(view.notice), columns);
}

}  // namespace musher
