// A real redis-server (or Sentinel) in a temporary folder, ended by pid.
#pragma once

#include <sys/types.h>

#include <csignal>
#include <memory>
#include <string>
#include <vector>

#include "reactor/drivers/redis_target.h"
#include "tests/support/temp_dir.h"

namespace musher::test {

/// Listens on a unix socket and on a loopback port. Blocking; for the test's main thread. The
/// server dies with the test program, however that ends. Aborts when it cannot start.
class RedisServer {
  public:
    /// `extra` are redis-server arguments ("--maxmemory", "2mb"). The append-only file is on, with
    /// `appendfsync always`: with everysec the write itself waits for a running fsync, and kill()
    /// loses what was answered meanwhile.
    explicit RedisServer(std::vector<std::string> extra = {});
    /// A Sentinel that watches `master` under the name "mm"; two must agree.
    static RedisServer sentinel(const RedisServer& master);
    RedisServer(RedisServer&&) noexcept;
    ~RedisServer();

    /// Starts again in the same folder with the same ports: the data is there.
    void start();
    /// Sends a signal; SIGKILL and SIGTERM also wait for the end.
    void signal(int number);
    void kill() { signal(SIGKILL); }
    bool running() const { return pid_ > 0; }

    /// One command over a connection of its own; lists are joined with spaces, errors are text.
    std::string command(const std::vector<std::string>& argv) const;

    pid_t pid() const { return pid_; }
    int port() const { return port_; }
    std::string socket() const { return *dir_ / "redis.sock"; }
    std::string log() const;
    RedisTarget target() const;      // over the unix socket
    RedisTarget tcp_target() const;  // 127.0.0.1:port
    std::string url() const { return "unix:" + socket(); }

  private:
    enum class Mode { server, sentinel };
    RedisServer(Mode mode, std::vector<std::string> arguments);
    bool try_start();

    std::unique_ptr<TempDir> dir_;
    std::vector<std::string> arguments_;
    Mode mode_;
    int port_ = 0;
    pid_t pid_ = -1;
};

}  // namespace musher::test
