// RedisTarget: where a Redis is and how to sign in.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "reactor/base/json.h"

namespace musher {

struct HostPort {
    std::string host;
    int port = 0;
    bool operator==(const HostPort&) const = default;
    /// host, host:port, [v6]:port; `usage` otherwise.
    static Result<HostPort> parse(std::string_view text, int default_port);
    std::string text() const;
};

/// One of: a unix socket, a server, Sentinels with a master's name. Holds secrets.
struct RedisTarget {
    std::string unix_path;
    HostPort server{"127.0.0.1", 6379};
    std::vector<HostPort> sentinels;
    std::string master;
    std::string sentinel_user, sentinel_password;
    std::string user;  // ACL user; empty: the default one
    std::string password;
    int db = 0;

    bool operator==(const RedisTarget&) const = default;
    /// redis://[user[:password]@]host[:port][/db], unix:/path[?db=n] or /path. Percent-decodes.
    /// `usage` otherwise; rediss:// too, with the remedy. Messages never show the password.
    static Result<RedisTarget> from_url(std::string_view url);
    /// A connection's options: a URL, or { url, user, password, db, sentinels: [host:port],
    /// master, sentinel_user, sentinel_password }.
    static Result<RedisTarget> from_options(const Json& options);
    /// For logs and status: redis://host:port/db, unix:/path, sentinel:NAME. No secrets.
    std::string name() const;
};

}  // namespace musher
