#include "tests/support/redis_server.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "reactor/base/fd.h"
#include "reactor/drivers/redis_reply.h"

namespace musher::test {

namespace {
constexpr int kStartTimeoutMs = 30'000;

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

/// Only async-signal-safe calls between fork and exec.
pid_t spawn(const std::vector<std::string>& arguments, const std::string& log,
            const std::string& notify) {
    std::vector<std::string> texts{"/usr/bin/env", "NOTIFY_SOCKET=" + notify, "redis-server"};
    texts.insert(texts.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& text : texts) argv.push_back(text.data());
    argv.push_back(nullptr);
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    MUSHER_CHECK(pid >= 0);
    if (pid > 0) return pid;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(out, 1);
    ::dup2(out, 2);
    ::execv(argv[0], argv.data());
    ::_exit(127);
}

/// READY=1 from the server, or false when it ended first.
bool wait_ready(const Fd& notify, pid_t pid) {
    const Fd end(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    for (;;) {
        pollfd fds[2] = {{notify.get(), POLLIN, 0}, {end.get(), POLLIN, 0}};
        if (::poll(fds, 2, kStartTimeoutMs) <= 0) return false;
        char text[512];
        const ssize_t got = ::recv(notify.get(), text, sizeof text, MSG_DONTWAIT);
        if (got > 0) {
            const std::string_view said(text, static_cast<std::size_t>(got));
            if (said.find("READY=1") != std::string_view::npos) return true;
        } else if (fds[1].revents != 0) {
            return false;
        }
    }
}

std::string print(const RedisReply& reply) {
    if (reply.kind == RedisReply::Kind::integer) return std::to_string(reply.integer);
    if (reply.kind != RedisReply::Kind::list) return reply.text;
    std::string all;
    for (const RedisReply& item : reply.items) all += (all.empty() ? "" : " ") + print(item);
    return all;
}
}  // namespace

RedisServer::RedisServer(std::vector<std::string> extra)
    : RedisServer(Mode::server, std::move(extra)) {}

RedisServer::RedisServer(Mode mode, std::vector<std::string> arguments)
    : dir_(std::make_unique<TempDir>()), arguments_(std::move(arguments)), mode_(mode) {
    start();
}

RedisServer::RedisServer(RedisServer&& other) noexcept
    : dir_(std::move(other.dir_)),
      arguments_(std::move(other.arguments_)),
      mode_(other.mode_),
      port_(other.port_),
      pid_(std::exchange(other.pid_, -1)) {}

RedisServer::~RedisServer() { kill(); }

RedisServer RedisServer::sentinel(const RedisServer& master) {
    const std::string watched = "127.0.0.1 " + std::to_string(master.port());
    return RedisServer(Mode::sentinel, {"sentinel monitor mm " + watched + " 2",
                                        "sentinel down-after-milliseconds mm 500",
                                        "sentinel failover-timeout mm 3000"});
}

void RedisServer::start() {
    const bool keep_port = port_ != 0;
    for (int tries = 0; tries < 5; ++tries) {
        // Somebody else may take a free port before the server does.
        if (!keep_port) port_ = free_port();
        if (try_start()) return;
    }
    std::fputs(log().c_str(), stderr);
    MUSHER_CHECK(false && "redis-server did not start");
}

bool RedisServer::try_start() {
    const std::string notify_path = *dir_ / "notify";
    ::unlink(notify_path.c_str());
    const Fd notify(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const sockaddr_un address = unix_address(notify_path);
    MUSHER_CHECK(
        ::bind(notify.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    std::vector<std::string> argv;
    if (mode_ == Mode::sentinel) {
        const std::string file = *dir_ / "sentinel.conf";
        if (!std::filesystem::exists(file)) {
            std::ofstream conf(file);
            for (const std::string& line : arguments_) conf << line << "\n";
        }
        argv = {file, "--sentinel"};
    } else {
        argv = {"--save",
                "",
                "--appendonly",
                "yes",
                "--appendfsync",
                "everysec",
                "--enable-debug-command",
                "yes",
                "--repl-diskless-sync-delay",
                "0"};
    }
    argv.insert(argv.end(),
                {"--port", std::to_string(port_), "--bind", "127.0.0.1", "--dir", dir_->path(),
                 "--unixsocket", socket(), "--unixsocketperm", "700", "--supervised", "systemd"});
    if (mode_ == Mode::server) argv.insert(argv.end(), arguments_.begin(), arguments_.end());
    pid_ = spawn(argv, *dir_ / "log", notify_path);
    if (wait_ready(notify, pid_)) return true;
    kill();
    return false;
}

void RedisServer::signal(int number) {
    if (pid_ <= 0) return;
    ::kill(pid_, number);
    if (number != SIGKILL && number != SIGTERM) return;
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
}

std::string RedisServer::command(const std::vector<std::string>& argv) const {
    const Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_un address = unix_address(socket());
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return std::strerror(errno);
    }
    if (!write_all(fd.get(), encode_command(argv))) return "broken connection";
    RedisDecoder decoder;
    for (;;) {
        char bytes[4096];
        const ssize_t got = ::recv(fd.get(), bytes, sizeof bytes, 0);
        if (got <= 0) return "broken connection";
        decoder.feed(std::string_view(bytes, static_cast<std::size_t>(got)));
        const Result<std::optional<RedisReply>> reply = decoder.next();
        MUSHER_CHECK(reply.has_value());
        if (*reply) return print(**reply);
    }
}

std::string RedisServer::log() const {
    std::ifstream file(*dir_ / "log");
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

RedisTarget RedisServer::target() const {
    RedisTarget target;
    target.unix_path = socket();
    return target;
}

RedisTarget RedisServer::tcp_target() const {
    RedisTarget target;
    target.server = HostPort{"127.0.0.1", port_};
    return target;
}

}  // namespace musher::test
