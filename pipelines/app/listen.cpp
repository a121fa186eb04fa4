// Listening sockets for ControlServer.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>

#include "pipelines/app/control_server.h"

namespace musher {

namespace {
constexpr int kBacklog = 64;

Result<Fd> listening(Fd fd, const std::string& what) {
    if (::listen(fd.get(), kBacklog) != 0) return fail(errno_error(errno, "listening on " + what));
    return fd;
}
}  // namespace

Result<Fd> listen_unix(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        return fail(Errc::usage,
                    "the socket path " + path + " has " + std::to_string(path.size()) +
                        " bytes; the system takes 107",
                    "choose a shorter `state` directory");
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) return fail(errno_error(errno, "making a socket"));
    // The state directory is locked by us: a socket found here is a dead process'.
    ::unlink(path.c_str());
    const mode_t before = ::umask(0117);
    const int bound =
        ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    const int failed = errno;
    ::umask(before);
    if (bound != 0) return fail(errno_error(failed, "binding " + path));
    return listening(std::move(fd), path);
}

Result<Fd> listen_tcp(const std::string& host, int port) {
    const std::string shown = host + ":" + std::to_string(port);
    const bool six = host.find(':') != std::string::npos;
    Fd fd(::socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) return fail(errno_error(errno, "making a socket"));
    const int on = 1;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in6 address6{};
    sockaddr_in address4{};
    address6.sin6_family = AF_INET6;
    address6.sin6_port = htons(static_cast<std::uint16_t>(port));
    address4.sin_family = AF_INET;
    address4.sin_port = address6.sin6_port;
    const std::string numeric = host == "localhost" ? "127.0.0.1" : host;
    const int known = six ? ::inet_pton(AF_INET6, numeric.c_str(), &address6.sin6_addr)
                          : ::inet_pton(AF_INET, numeric.c_str(), &address4.sin_addr);
    if (known != 1) {
        return fail(Errc::usage, "'" + host + "' is not an IP address",
                    "http.listen wants an address of this host, such as 127.0.0.1:8470");
    }
    const auto* where = six ? reinterpret_cast<const sockaddr*>(&address6)
                            : reinterpret_cast<const sockaddr*>(&address4);
    const socklen_t size = six ? sizeof address6 : sizeof address4;
    if (::bind(fd.get(), where, size) != 0) {
        Error error = errno_error(errno, "listening on " + shown);
        if (errno == EADDRINUSE) {
            error.code = Errc::conflict;
            error.hint = "another program has this port; change http.listen";
        }
        return fail(std::move(error));
    }
    return listening(std::move(fd), shown);
}

}  // namespace musher
