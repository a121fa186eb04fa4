#include "pipelines/verb/progress_line.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "reactor/base/text.h"

namespace musher {

namespace {
constexpr Duration kPatience = std::chrono::seconds(2);
constexpr Duration kRedraw = std::chrono::milliseconds(200);
constexpr Duration kNextLine = std::chrono::seconds(10);

/// 1.2GiB: for people.
std::string amount(double bytes) {
    constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    std::size_t unit = 0;
    while (bytes >= 1000 && unit + 1 < std::size(kUnits)) {
        bytes /= 1024;
        ++unit;
    }
    return fmt::format("{:.{}f}{}", bytes, unit == 0 || bytes >= 100 ? 0 : 1, kUnits[unit]);
}

std::string span(double seconds) {
    if (seconds < 90) return fmt::format("{:.0f}s", seconds);
    if (seconds < 5400) return fmt::format("{:.0f}m", seconds / 60);
    return fmt::format("{:.1f}h", seconds / 3600);
}

std::string bar(double part, int width) {
    const int filled = static_cast<int>(part * width);
    return "[" + std::string(static_cast<std::size_t>(filled), '=') +
           std::string(static_cast<std::size_t>(width - filled), ' ') + "] ";
}

/// Large files by their bytes, small ones by their number: what is behind counts.
double part_of(const ProgressMoment& now) {
    const auto part = [](std::uint64_t some, std::uint64_t all) {
        return all == 0 ? 1.0 : std::min(1.0, static_cast<double>(some) / static_cast<double>(all));
    };
    return std::min(part(now.bytes, now.all_bytes), part(now.files, now.all_files));
}

int columns() {
    winsize size{};
    if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
    return size.ws_col;
}
}  // namespace

std::string progress_text(const std::string& what, const ProgressMoment& now, Duration since,
                          int width) {
    const double seconds = std::max(std::chrono::duration<double>(since).count(), 0.001);
    const double part = part_of(now);
    const bool known = now.all_files > 0;
    std::string tail;
    if (known) {
        tail = fmt::format(
            "{:3.0f}%  {} of {}, {} of {}", part * 100, amount(static_cast<double>(now.bytes)),
            amount(static_cast<double>(now.all_bytes)), now.files, counted(now.all_files, "file"));
    } else {
        tail = fmt::format("{}, {}", amount(static_cast<double>(now.bytes)),
                           counted(now.files, "file"));
    }
    tail += fmt::format(", {}/s", amount(static_cast<double>(now.bytes) / seconds));
    if (known && part > 0) tail += ", " + span(seconds / part - seconds) + " left";
    const int room = width - static_cast<int>(what.size() + tail.size()) - 5;
    std::string text = what + " ";
    if (known && room >= 10) text += bar(part, std::min(room, 40));
    text += tail;
    if (width > 0 && text.size() >= static_cast<std::size_t>(width)) {
        text.resize(static_cast<std::size_t>(width) - 1);
    }
    return text;
}

ProgressLine::ProgressLine(const Clock& clock, std::string what)
    : clock_(clock),
      what_(std::move(what)),
      terminal_(::isatty(STDERR_FILENO) == 1),
      began_(clock.now()),
      next_(began_ + kPatience) {}

ProgressLine::~ProgressLine() {
    if (drawn_ && terminal_) std::fputs("\r\x1b[K", stderr);
}

void ProgressLine::show(const ProgressMoment& now) {
    const Instant moment = clock_.now();
    if (moment < next_) return;
    drawn_ = true;
    next_ = moment + (terminal_ ? kRedraw : kNextLine);
    const std::string text = progress_text(what_, now, moment - began_, terminal_ ? columns() : 0);
    std::fputs((terminal_ ? "\r" + text + "\x1b[K" : text + "\n").c_str(), stderr);
}

}  // namespace musher
