#include "tests/support/server_process.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <csignal>
#include <cstring>

#include "reactor/base/check.h"

namespace musher::test {

namespace {
constexpr int kStartTimeoutMs = 60'000;
}

sockaddr_un unix_address(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    MUSHER_CHECK(path.size() < sizeof address.sun_path);
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    return address;
}

int free_port() {
    const Fd probe(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* native = reinterpret_cast<sockaddr*>(&address);
    MUSHER_CHECK(::bind(probe.get(), native, size) == 0);
    MUSHER_CHECK(::getsockname(probe.get(), native, &size) == 0);
    return ntohs(address.sin_port);
}

pid_t spawn(std::vector<std::string> texts, const Account& who, int out, int err) {
    std::vector<char*> argv;
    for (std::string& text : texts) argv.push_back(text.data());
    argv.push_back(nullptr);
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    MUSHER_CHECK(pid >= 0);
    if (pid > 0) return pid;
    // Only async-signal-safe calls between fork and exec.
    ::dup2(out, 1);
    ::dup2(err, 2);
    if (who.change && (::syscall(SYS_setgroups, 0, nullptr) != 0 || ::setgid(who.gid) != 0 ||
                       ::setuid(who.uid) != 0 || ::chdir("/") != 0)) {
        ::_exit(126);
    }
    // After the change of user, which clears it.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    ::execv(argv[0], argv.data());
    ::_exit(127);
}

int wait_for(pid_t pid) {
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

Readiness::Readiness(const std::string& path)
    : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    ::unlink(path.c_str());
    const sockaddr_un address = unix_address(path);
    MUSHER_CHECK(
        ::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
}

bool Readiness::wait(pid_t pid) const {
    const Fd end(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    for (;;) {
        pollfd fds[2] = {{socket_.get(), POLLIN, 0}, {end.get(), POLLIN, 0}};
        if (::poll(fds, 2, kStartTimeoutMs) <= 0) return false;
        char text[512];
        const ssize_t got = ::recv(socket_.get(), text, sizeof text, MSG_DONTWAIT);
        if (got > 0) {
            const std::string_view said(text, static_cast<std::size_t>(got));
            if (said.find("READY=1") != std::string_view::npos) return true;
        } else if (fds[1].revents != 0) {
            return false;
        }
    }
}

}  // namespace musher::test
