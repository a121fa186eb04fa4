// What starting a real server for a test takes: a port, a child, and its word that it is ready.
#pragma once

#include <sys/types.h>
#include <sys/un.h>

#include <string>
#include <vector>

#include "reactor/base/fd.h"

namespace musher::test {

/// Who a server runs as: this process' user unless `change`.
struct Account {
    uid_t uid = ::geteuid();
    gid_t gid = ::getegid();
    bool change = false;
};

/// Aborts when the path is too long for a socket.
sockaddr_un unix_address(const std::string& path);
/// Of the loopback; somebody else may take it before the server does.
int free_port();
/// Ends with this process. `out` becomes its stdout, `err` its stderr; argv[0] is a path.
pid_t spawn(std::vector<std::string> argv, const Account& who, int out, int err);
/// Waits for its end: the status of waitpid(2).
int wait_for(pid_t pid);

/// The socket that a server tells READY=1 to: NOTIFY_SOCKET=path.
class Readiness {
  public:
    explicit Readiness(const std::string& path);
    /// False when the server ended first, or after a minute.
    bool wait(pid_t pid) const;

  private:
    Fd socket_;
};

}  // namespace musher::test
