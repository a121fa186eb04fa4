#include "reactor/loop/child.h"

#include <sys/mman.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "reactor/loop/child_launcher.h"

namespace musher {

namespace {
constexpr int kReadsPerTurn = 16;  // a loud child does not hold the loop

struct Pipe {
    Fd ours;    // not blocking
    Fd theirs;  // blocking: programs expect that
};

Result<Pipe> open_pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return fail(errno_error(errno, "opening a pipe"));
    Pipe pipe{Fd(ends[0]), Fd(ends[1])};
    ::fcntl(pipe.ours.get(), F_SETFL, O_NONBLOCK);
    return pipe;
}

/// Input from memory without anybody who feeds it: an anonymous file.
Result<Fd> memory_file(std::string_view bytes) {
    Fd file(::memfd_create("stdin", MFD_CLOEXEC));
    if (!file) return fail(errno_error(errno, "keeping the child's input"));
    MUSHER_DO(write_all(file.get(), bytes));
    ::lseek(file.get(), 0, SEEK_SET);
    return file;
}

std::vector<std::string> environment(const ChildSpec& spec) {
    std::map<std::string, std::string> all = spec.env;
    for (const std::string& name : spec.inherit) {
        const char* value = std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe)
        if (value) all.emplace(name, value);
    }
    std::vector<std::string> lines;
    for (const auto& [name, value] : all) lines.push_back(name + "=" + value);
    return lines;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> all;
    for (std::string& text : texts) all.push_back(text.data());
    all.push_back(nullptr);
    return all;
}

uv_stdio_container_t stdio_of(int fd) {
    uv_stdio_container_t container{};
    container.flags = fd >= 0 ? UV_INHERIT_FD : UV_IGNORE;
    container.data.fd = fd;
    return container;
}

/// The launcher's "ERRNO what failed".
Error launch_error(std::string_view line) {
    int number = 0;
    const auto [end, bad] = std::from_chars(line.data(), line.data() + line.size(), number);
    if (bad != std::errc()) return Error(Errc::internal, "the launcher said: " + std::string(line));
    const auto skip = static_cast<std::size_t>(end - line.data()) + 1;
    Error error = errno_error(number, line.substr(std::min(skip, line.size())));
    if (line.find(" starting ") != std::string_view::npos && error.code == Errc::not_found) {
        error.hint = "install the program, or give its full path";
    }
    return error;
}
}  // namespace

std::string ChildExit::text() const {
    if (timed_out) return "was stopped after " + format_duration(took);
    if (signal == 0) return "exited with " + std::to_string(code);
    const char* name = sigabbrev_np(signal);
    return "was killed by " + (name ? "SIG" + std::string(name) : std::to_string(signal));
}

Child::Child(Loop& loop, Duration grace)
    : loop_(loop), grace_(grace), began_(loop.clock().now()), waiters_(loop.ready()) {}

Child::~Child() { MUSHER_CHECK(pid_ == 0 || ended_); }

Result<void> Child::watch(Capture& capture, const ChildOutput& output, Fd& child_end) {
    if (output.to != ChildOutput::To::capture) return {};
    MUSHER_TRY(Pipe pipe, open_pipe());
    capture.limit = output.limit;
    capture.last = output.last;
    capture.fd = std::move(pipe.ours);
    child_end = std::move(pipe.theirs);
    MUSHER_TRY(Poll poll, Poll::open(loop_, capture.fd.get(), "child.output"));
    capture.poll.emplace(std::move(poll));
    capture.poll->start(UV_READABLE, [&capture](int, int) { drain(capture); });
    return {};
}

void Child::drain(Capture& capture) {
    char bytes[16 << 10];
    for (int round = 0; round < kReadsPerTurn; ++round) {
        const ssize_t got = ::read(capture.fd.get(), bytes, sizeof bytes);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && errno == EAGAIN) return;
        if (got <= 0) {
            capture.poll.reset();
            capture.fd.reset();
            return;
        }
        keep(capture, std::string_view(bytes, static_cast<std::size_t>(got)));
    }
}

void Child::keep(Capture& capture, std::string_view bytes) {
    std::string& text = capture.text;
    if (text.size() + bytes.size() > capture.limit) capture.truncated = true;
    if (!capture.last) {
        text.append(bytes.substr(0, capture.limit - text.size()));
        return;
    }
    text.append(bytes);
    // Rarely, not at every read: a loud child would have it all moved again and again.
    if (text.size() > 2 * capture.limit + bytes.size()) text.erase(0, text.size() - capture.limit);
}

Result<Fd> Child::spawn(const ChildSpec& spec) {
    Fd in;
    Fd out;
    Fd err;
    if (spec.stdin_bytes) {
        MUSHER_TRY(in, memory_file(*spec.stdin_bytes));
    }
    MUSHER_DO(watch(out_, spec.out, out));
    MUSHER_DO(watch(err_, spec.err, err));
    MUSHER_TRY(Pipe status, open_pipe());
    std::vector<std::string> argv = launcher_argv(spec);
    std::vector<std::string> env = environment(spec);
    const std::vector<char*> argv_pointers = pointers(argv);
    const std::vector<char*> env_pointers = pointers(env);
    uv_stdio_container_t stdio[] = {stdio_of(in ? in.get() : spec.stdin_fd), stdio_of(out.get()),
                                    stdio_of(err.get()), stdio_of(status.theirs.get())};
    static_assert(std::size(stdio) == kLauncherStatusFd + 1);
    uv_process_options_t options{};
    options.file = "/proc/self/exe";
    options.args = const_cast<char**>(argv_pointers.data());
    options.env = const_cast<char**>(env_pointers.data());
    options.stdio = stdio;
    options.stdio_count = static_cast<int>(std::size(stdio));
    options.flags = UV_PROCESS_DETACHED;  // setsid before exec: the group exists when we return
    options.exit_cb = [](uv_process_t* process, std::int64_t code, int number) {
        auto* self = static_cast<Child*>(process->data);
        if (self) self->on_exit(code, number);
    };
    process_->data = this;
    const int result = uv_spawn(loop_.uv(), process_.get(), &options);
    process_.opened();  // also after a failure: libuv has the handle in its queue
    if (result != 0) {
        return fail(Errc::failed, "starting " + spec.argv[0] + ": " + uv_strerror(result));
    }
    pid_ = process_->pid;
    return std::move(status.ours);
}

Task<Result<void>> Child::started(Fd status) {
    Waiters spoke(loop_.ready());
    std::string said;
    MUSHER_CO_TRY(Poll poll, Poll::open(loop_, status.get(), "child.status"));
    poll.start(UV_READABLE, [&](int, int) {
        char bytes[4352];
        const ssize_t got = ::read(status.get(), bytes, sizeof bytes);
        if (got > 0) said.append(bytes, static_cast<std::size_t>(got));
        if (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR))) return;
        poll.stop();
        spoke.wake_one();
    });
    // Not the caller's Cancel: exec or exit closes the pipe, soon and always.
    Cancel never;
    MUSHER_CO_DO(co_await spoke.wait(never));
    if (said.empty()) co_return Result<void>();
    co_return fail(launch_error(said));
}

Task<Result<std::unique_ptr<Child>>> Child::start(Loop& loop, const ChildSpec& spec,
                                                  Cancel& cancel) {
    MUSHER_CHECK(!spec.argv.empty());
    if (cancel.requested()) co_return fail(cancel.error());
    std::unique_ptr<Child> child(new Child(loop, spec.grace));
    MUSHER_CO_TRY(Fd status, child->spawn(spec));
    const Result<void> running = co_await child->started(std::move(status));
    if (!running) {
        co_await child->stop();
        co_return fail(running.error());
    }
    co_return child;
}

void Child::on_exit(std::int64_t code, int number) {
    const Watchdog::Call call(loop_.watchdog(), "child.exit");
    // First the rest of the group, whose members may hold the pipes open for ever. libuv reaped
    // the leader just now: its id is not another's yet.
    ::kill(-pid_, SIGKILL);
    for (Capture* capture : {&out_, &err_}) {
        if (capture->fd) drain(*capture);
        capture->poll.reset();
        capture->fd.reset();
    }
    ended_ = true;
    exit_.code = static_cast<int>(code);
    exit_.signal = number;
    exit_.took = loop_.clock().now() - began_;
    waiters_.wake_all();
}

void Child::signal(int number) {
    if (!ended_ && pid_ > 0) ::kill(-pid_, number);
}

Task<Result<void>> Child::wait(Cancel& cancel) {
    if (ended_) co_return Result<void>();
    co_return co_await waiters_.wait(cancel);
}

Task<void> Child::stop() {
    if (ended_ || pid_ == 0) co_return;
    signal(SIGTERM);
    Cancel patience;
    const Deadline limit(loop_.timers(), patience, grace_);
    const Result<void> ended = co_await wait(patience);
    if (ended) co_return;
    signal(SIGKILL);
    Cancel never;
    const Result<void> killed = co_await wait(never);
    MUSHER_CHECK(killed.has_value());
}

ChildExit Child::take_exit() {
    MUSHER_CHECK(ended_);
    for (Capture* capture : {&out_, &err_}) {
        std::string& text = capture->text;
        if (text.size() > capture->limit) text.erase(0, text.size() - capture->limit);
    }
    exit_.out = std::move(out_.text);
    exit_.err = std::move(err_.text);
    exit_.out_truncated = out_.truncated;
    exit_.err_truncated = err_.truncated;
    return std::move(exit_);
}

Task<Result<ChildExit>> run_child(Loop& loop, const ChildSpec& spec, Cancel& cancel) {
    MUSHER_CO_TRY(const std::unique_ptr<Child> child, co_await Child::start(loop, spec, cancel));
    Cancel mine(cancel);
    const Deadline limit(loop.timers(), mine, spec.timeout);
    const Result<void> waited = co_await child->wait(mine);
    if (!waited) co_await child->stop();
    if (cancel.requested()) co_return fail(cancel.error());
    ChildExit exit = child->take_exit();
    exit.timed_out = !waited;
    co_return exit;
}

}  // namespace musher
