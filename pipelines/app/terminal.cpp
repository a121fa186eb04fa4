#include "pipelines/app/terminal.h"

#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <csignal>

namespace musher {

namespace {
constexpr std::string_view kEnter = "\x1b[?1049h\x1b[?25l";
constexpr std::string_view kLeave = "\x1b[?25h\x1b[?1049l";
constexpr int kCrashes[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};

// What a crash gives back; a signal's way to it is a global.
int taken_fd = -1;
termios taken_before{};

void put(std::string_view text) {
    while (!text.empty()) {
        const ssize_t wrote = ::write(STDOUT_FILENO, text.data(), text.size());
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote <= 0) return;
        text.remove_prefix(static_cast<std::size_t>(wrote));
    }
}

void give_back() {
    if (taken_fd < 0) return;
    put(kLeave);
    ::tcsetattr(taken_fd, TCSANOW, &taken_before);
    taken_fd = -1;
}

/// Async-signal-safe; the signal then does what it would have done.
extern "C" void on_crash(int number) {
    give_back();
    std::signal(number, SIG_DFL);
    std::raise(number);
}
}  // namespace

ScreenSize screen_size() {
    winsize size{};
    ScreenSize found;
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return found;
    found.columns = size.ws_col;
    found.rows = size.ws_row;
    return found;
}

Result<std::unique_ptr<Terminal>> Terminal::take(Loop& loop, std::function<void(char)> on_key) {
    // A description of its own: what is set on stdin's stays with the shell.
    MUSHER_TRY(Fd keys, Fd::open("/dev/tty", O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0));
    std::unique_ptr<Terminal> terminal(new Terminal(std::move(keys), std::move(on_key)));
    MUSHER_TRY(Poll poll, Poll::open(loop, terminal->keys_.get(), "terminal"));
    terminal->poll_ = std::make_unique<Poll>(std::move(poll));
    Terminal* raw = terminal.get();
    terminal->poll_->start(UV_READABLE, [raw](int, int) { raw->read_keys(); });
    for (const int number : kCrashes) std::signal(number, on_crash);
    terminal->retake();
    return terminal;
}

Terminal::~Terminal() {
    release();
    for (const int number : kCrashes) std::signal(number, SIG_DFL);
}

void Terminal::retake() {
    if (taken_fd >= 0 || ::tcgetattr(keys_.get(), &taken_before) != 0) return;
    termios quiet = taken_before;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);  // ctrl-C and ctrl-Z stay signals
    ::tcsetattr(keys_.get(), TCSANOW, &quiet);
    taken_fd = keys_.get();
    put(kEnter);
}

void Terminal::release() { give_back(); }

void Terminal::read_keys() {
    char typed[64];
    const ssize_t count = ::read(keys_.get(), typed, sizeof typed);
    for (ssize_t i = 0; i < count; ++i) on_key_(typed[i]);
    if (count == 0) poll_->stop();  // hung up: SIGHUP says so too
}

void Terminal::show(const std::string& text) {
    // Line by line, each cleared to its end: nothing flickers.
    std::string frame = "\x1b[H";
    for (const char c : text) {
        if (c == '\n') frame += "\x1b[K";
        if (c == '\n') frame += '\r';
        frame += c;
    }
    put(frame + "\x1b[J");
}

}  // namespace musher
