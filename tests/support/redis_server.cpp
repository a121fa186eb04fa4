#include "tests/support/redis_server.h"

#include <sys/socket.h>

#include <cstring>
#include <fstream>

#include "reactor/base/fd.h"
#include "reactor/drivers/redis_reply.h"
#include "tests/support/server_process.h"

namespace musher::test {

namespace {
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
    // As EmbeddedRedis does it after a kill in the middle of a write.
    const std::string manifest = *dir_ / "appendonlydir/appendonly.aof.manifest";
    if (std::filesystem::exists(manifest)) {
        const Fd none(::open("/dev/null", O_WRONLY | O_CLOEXEC));
        const std::string mend = "echo y | redis-check-aof --fix \"$0\"";
        wait_for(spawn({"/bin/sh", "-c", mend, manifest}, Account(), none.get(), none.get()));
    }
    const std::string notify_path = *dir_ / "notify";
    const Readiness ready(notify_path);
    std::vector<std::string> argv{"/usr/bin/env", "NOTIFY_SOCKET=" + notify_path, "redis-server"};
    const auto add = [&argv](std::initializer_list<std::string> more) {
        argv.insert(argv.end(), more);
    };
    if (mode_ == Mode::sentinel) {
        const std::string file = *dir_ / "sentinel.conf";
        if (!std::filesystem::exists(file)) {
            std::ofstream conf(file);
            for (const std::string& line : arguments_) conf << line << "\n";
        }
        add({file, "--sentinel"});
    } else {
        add({"--save", "", "--appendonly", "yes", "--appendfsync", "always",
             "--enable-debug-command", "yes", "--repl-diskless-sync-delay", "0"});
    }
    add({"--port", std::to_string(port_), "--bind", "127.0.0.1", "--dir", dir_->path(),
         "--unixsocket", socket(), "--unixsocketperm", "700", "--supervised", "systemd"});
    if (mode_ == Mode::server) argv.insert(argv.end(), arguments_.begin(), arguments_.end());
    const std::string log_path = *dir_ / "log";
    const Fd log(::open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    pid_ = spawn(std::move(argv), Account(), log.get(), log.get());
    if (ready.wait(pid_)) return true;
    kill();
    return false;
}

void RedisServer::signal(int number) {
    if (pid_ <= 0) return;
    ::kill(pid_, number);
    if (number != SIGKILL && number != SIGTERM) return;
    wait_for(std::exchange(pid_, -1));
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
