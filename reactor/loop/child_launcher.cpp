#include "reactor/loop/child_launcher.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace musher {

namespace {
constexpr int kNotFound = 127;
constexpr int kNotStarted = 126;

/// Says on the status pipe why the program does not run; the parent makes an Error of it.
int give_up(const char* what, const char* name) {
    const int number = errno;
    char line[4352];
    const int size = std::snprintf(line, sizeof line, "%d %s%s", number, what, name);
    if (size > 0) {
        const auto wanted = static_cast<std::size_t>(size);
        const std::size_t length = wanted < sizeof line ? wanted : sizeof line - 1;
        // Nobody is left to tell when this fails; the exit code remains.
        (void)!::write(kLauncherStatusFd, line, length);
    }
    return number == ENOENT ? kNotFound : kNotStarted;
}

bool limit(int resource, rlim_t soft, rlim_t hard) {
    const rlimit both{soft, hard};
    return ::setrlimit(static_cast<__rlimit_resource_t>(resource), &both) == 0;
}

bool open_as(int fd, const char* path, int flags) {
    const int opened = ::open(path, flags, 0600);
    if (opened < 0) return false;
    if (opened == fd) return true;
    const bool moved = ::dup2(opened, fd) >= 0;
    ::close(opened);
    return moved;
}

/// Dies with the parent; false when the parent has died already.
bool tie_to_parent(pid_t parent, int number) {
    return ::prctl(PR_SET_PDEATHSIG, number) == 0 && ::getppid() == parent;
}

/// Applies one NAME=VALUE; the address space limit is last, the launcher itself may need more.
bool apply(std::string_view name, const char* text) {
    rlim_t value = 0;
    std::from_chars(text, text + std::strlen(text), value);
    constexpr int kWrite = O_WRONLY | O_CREAT | O_TRUNC;
    if (name == "cwd") return ::chdir(text) == 0;
    if (name == "out") return open_as(1, text, kWrite);
    if (name == "err") return open_as(2, text, kWrite);
    // The soft limit sends SIGXCPU, the hard one a second later KILL.
    if (name == "cpu") return limit(RLIMIT_CPU, value, value + 1);
    if (name == "nofile") return limit(RLIMIT_NOFILE, value, value);
    if (name == "fsize") return limit(RLIMIT_FSIZE, value, value);
    if (name == "as") return limit(RLIMIT_AS, value, value);
    errno = EINVAL;
    return false;
}
/// execvp reports a folder of PATH that may not be entered as if the program were forbidden; to
/// the user it is not there.
void become(char** argv) {
    const std::string_view program(argv[0]);
    if (program.find('/') != std::string_view::npos) {
        ::execv(argv[0], argv);
        return;
    }
    const char* path = std::getenv("PATH");  // NOLINT(concurrency-mt-unsafe): one thread
    std::string_view left = path ? path : "/usr/local/bin:/usr/bin:/bin";
    int reason = ENOENT;
    while (!left.empty()) {
        const std::size_t colon = std::min(left.find(':'), left.size());
        const std::string candidate =
            std::string(left.substr(0, colon)).append("/").append(program);
        left.remove_prefix(std::min(colon + 1, left.size()));
        ::execv(candidate.c_str(), argv);
        const int number = errno;
        if (::access(candidate.c_str(), F_OK) == 0) reason = number;
    }
    errno = reason;
}
}  // namespace

int child_main(int argc, char** argv) {
    int at = 2;
    pid_t parent = 0;
    int number = SIGKILL;
    if (argc > at + 2) {
        const char* ppid = argv[at++];
        const char* signal = argv[at++];
        std::from_chars(ppid, ppid + std::strlen(ppid), parent);
        std::from_chars(signal, signal + std::strlen(signal), number);
    }
    if (!tie_to_parent(parent, number)) {
        std::fputs("this verb is for musher's own use\n", stderr);
        return kNotStarted;
    }
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    for (; at < argc && std::strcmp(argv[at], "--") != 0; ++at) {
        const char* equals = std::strchr(argv[at], '=');
        if (!equals) return give_up("launching with ", argv[at]);
        const std::string_view name(argv[at], static_cast<std::size_t>(equals - argv[at]));
        if (!apply(name, equals + 1))
            return give_up(name == "cwd" ? "entering " : "opening ", equals + 1);
    }
    if (++at >= argc) return give_up("launching nothing", "");
    ::close_range(kLauncherStatusFd, ~0U, CLOSE_RANGE_CLOEXEC);
    become(argv + at);
    return give_up("starting ", argv[at]);
}

std::vector<std::string> launcher_argv(const ChildSpec& spec) {
    std::vector<std::string> argv{"musher", "child", std::to_string(::getpid()),
                                  std::to_string(spec.server ? SIGTERM : SIGKILL)};
    const auto text = [&argv](const char* name, const std::string& value) {
        if (!value.empty()) argv.push_back(std::string(name) + "=" + value);
    };
    const auto bound = [&argv](const char* name, std::uint64_t value) {
        if (value != 0) argv.push_back(std::string(name) + "=" + std::to_string(value));
    };
    text("out", spec.out.path);
    text("err", spec.err.path);
    text("cwd", spec.cwd);
    bound("cpu", spec.limits.cpu_s);
    bound("nofile", spec.limits.open_files);
    bound("fsize", spec.limits.file_size_bytes);
    bound("as", spec.limits.memory_bytes);
    argv.emplace_back("--");
    argv.insert(argv.end(), spec.argv.begin(), spec.argv.end());
    return argv;
}

}  // namespace musher
