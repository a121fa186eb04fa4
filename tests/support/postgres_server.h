// A real PostgreSQL in a temporary folder, ended by pid.
#pragma once

#include <sys/types.h>

#include <csignal>
#include <memory>
#include <string>

#include "reactor/drivers/postgres_target.h"
#include "tests/support/temp_dir.h"

namespace musher::test {

struct PostgresSettings {
    bool tls = false;       // with a certificate for "localhost" by a throw-away CA
    bool durable = false;   // fsync on
    std::string more = {};  // lines of postgresql.conf
};

/// Listens on a unix socket (trusts everybody) and on a loopback port (wants the password of
/// "app", a superuser). As root it runs as the user postgres. Blocking; for the test's main thread
/// or where the loop may stand still. The server dies with the test program, however that ends.
/// Aborts when it cannot start. The first one of a program runs initdb, the others copy its folder.
class PostgresServer {
  public:
    explicit PostgresServer(PostgresSettings settings = {});
    PostgresServer(const PostgresServer&) = delete;
    ~PostgresServer();

    /// Starts again in the same folder with the same port: the data is there.
    void start();
    void stop();  // fast: sessions end, nothing is lost
    void kill();  // -9: its sessions end too; what was committed is there
    bool running() const { return pid_ > 0; }

    /// psql, as app: unaligned rows, tabs between columns. Aborts when it fails.
    std::string exec(const std::string& sql) const;

    pid_t pid() const { return pid_; }
    int port() const { return port_; }
    std::string log() const;
    std::string socket_folder() const { return *dir_ / "s"; }
    static std::string password() { return "pass:w@rd/1"; }
    /// postgresql:///db?host=SOCKET…, no password needed.
    std::string url(const std::string& database = "postgres") const;
    /// postgresql://app:PASSWORD@HOST:PORT/postgres?MORE
    std::string tcp_url(const std::string& host = "127.0.0.1", const std::string& more = "") const;
    PostgresTarget target() const;
    /// The CA of `tls`, and another one that signed nothing here.
    std::string ca_file() const { return *dir_ / "ca.crt"; }
    std::string wrong_ca_file() const { return *dir_ / "wrong.crt"; }

  private:
    void write_settings();
    void make_certificates() const;
    bool try_start();
    void end(int signal);

    PostgresSettings settings_;
    std::unique_ptr<TempDir> dir_;
    int port_ = 0;
    pid_t pid_ = -1;
};

}  // namespace musher::test
