// PostgresTarget: where a PostgreSQL is and how to sign in.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "reactor/base/clock.h"
#include "reactor/base/json.h"

namespace musher {

struct PostgresServer {
    std::string host;     // a name, an address, a socket's folder; empty: libpq's default
    std::string address;  // `hostaddr`: host is then only what the certificate must name
    std::string port;     // empty: libpq's default
    std::string text() const;
};

/// libpq's own settings, taken apart just enough to look names up off the loop. Holds secrets.
struct PostgresTarget {
    std::map<std::string, std::string> settings;  // libpq's keywords, without those of `servers`
    std::vector<PostgresServer> servers;          // at least one, tried in this order
    std::string standby;                          // target_session_attrs
    Duration dial = std::chrono::seconds(10);     // names, connect, TLS, sign in: one try
    std::size_t pool = 4;                         // most connections at a time

    /// postgresql://user:password@host:port/database?sslmode=… or "host=… dbname=…", as libpq reads
    /// them. `usage` otherwise; the text, which may hold a password, is not repeated.
    static Result<PostgresTarget> from_url(const std::string& url);
    /// A connection's options: a URL, or { url, password, pool, connect_timeout (ms) }. What the
    /// URL says of password and connect_timeout goes first.
    static Result<PostgresTarget> from_options(const Json& options);
    /// For logs and status: postgresql://host:port/database. No secrets.
    std::string name() const;
};

}  // namespace musher
