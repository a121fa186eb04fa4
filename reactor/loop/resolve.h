// Host names to addresses, off the loop.
#pragma once

#include <sys/socket.h>

#include <string>
#include <vector>

#include "reactor/loop/loop.h"

namespace musher {

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size = 0;
    std::string text;  // 10.0.0.5:6379, [::1]:6379 or a path

    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
    /// A unix socket; `usage` naming the length when the path is over 107 bytes.
    static Result<SocketAddress> unix_path(const std::string& path);
};

/// Stream addresses in the system's order of preference, at least one. An address as text is
/// answered at once. `unavailable` when the name cannot be resolved now.
Task<Result<std::vector<SocketAddress>>> resolve(Loop& loop, std::string host, int port,
                                                 Cancel& cancel);

}  // namespace musher
