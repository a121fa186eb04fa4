#include "pipelines/run/teletype.h"

#include <fmt/format.h>

#include <algorithm>

#include "reactor/base/log.h"
#include "reactor/base/text.h"

namespace musher {

namespace {
constexpr std::size_t kWaiting = 64 << 10;
constexpr Duration kRetry = std::chrono::seconds(10);

/// Of UTF-8, characters are counted, not bytes.
std::size_t width(std::string_view text) {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

/// Names come from anybody: no control characters, C1 (0xc2 0x80 to 0xc2 0x9f) among them.
std::string harmless(std::string_view text) {
    std::string shown;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const auto byte = static_cast<unsigned char>(text[at]);
        const bool c1 =
            byte == 0xc2 && at + 1 < text.size() && static_cast<unsigned char>(text[at + 1]) < 0xa0;
        if (c1) ++at;
        shown += byte < 0x20 || byte == 0x7f || c1 ? '?' : text[at];
    }
    return is_utf8(shown) ? shown : harmless(escape_bytes(shown));
}
}  // namespace

Result<void> Teletype::open(const std::string& path) {
    room_.reset();
    terminal_.reset();
    waiting_.clear();
    path_ = path;
    return path_.empty() ? Result<void>() : connect();
}

Result<void> Teletype::connect() {
    retry_at_ = loop_.clock().now() + kRetry;
    speaker_.clear();
    MUSHER_TRY(terminal_, Fd::open(path_, O_WRONLY | O_NONBLOCK | O_NOCTTY));
    if (::isatty(terminal_.get()) == 1) {
        Result<Poll> poll = Poll::open(loop_, terminal_.get(), "teletype");
        if (poll) {
            room_.emplace(std::move(*poll));
            return {};
        }
    }
    terminal_.reset();
    return fail(Errc::usage, "log.tty: " + path_ + " is no terminal",
                "name one, such as /dev/tty1; `to:` takes a file");
}

void Teletype::tell(const std::string& who, const std::string& heading, std::string_view line) {
    if (!on()) return;
    if (!terminal_ && loop_.clock().now() >= retry_at_) static_cast<void>(connect().has_value());
    if (!terminal_ || waiting_.size() > kWaiting) {
        ++lost_;
        return;
    }
    if (lost_ > 0)
        waiting_ += fmt::format("\n\n({} lines were not shown)\n", std::exchange(lost_, 0));
    if (speaker_ != who) {
        const std::string title = harmless(heading);
        waiting_ += fmt::format("\n\n{}\n{:-<{}}\n", title, "", width(title));
        speaker_ = who;
    }
    waiting_ += harmless(line);
    waiting_ += '\n';
    send();
}

void Teletype::send() {
    while (!waiting_.empty()) {
        const ssize_t wrote = ::write(terminal_.get(), waiting_.data(), waiting_.size());
        if (wrote >= 0) {
            waiting_.erase(0, static_cast<std::size_t>(wrote));
        } else if (errno == EAGAIN) {
            room_->start(UV_WRITABLE, [this](int, int) { send(); });
            return;
        } else if (errno != EINTR) {
            hang_up(errno_error(errno, path_).text());
            return;
        }
    }
    room_->stop();
}

void Teletype::hang_up(const std::string& why) {
    room_.reset();
    terminal_.reset();
    waiting_.clear();
    retry_at_ = loop_.clock().now() + kRetry;
    log::warning("log.tty_lost", Json{{"reason", why}, {"hint", "it is tried again"}});
}

}  // namespace musher
