// SmtpTarget: a server that takes mail, and how to sign in.
#pragma once

#include <string>

#include "reactor/base/clock.h"
#include "reactor/base/json.h"

namespace musher {

struct SmtpTarget {
    enum class Tls { none, attempt, required };  // by STARTTLS; smtps:// is TLS from the start

    std::string url;  // scheme://host:port and nothing else: for curl, and for messages
    Tls tls = Tls::required;
    std::string user;
    std::string password;
    std::string from;  // the sender: an address, maybe with a name
    std::string ca_file;
    Duration connect_timeout = std::chrono::seconds(10);
    /// From there until it is signed in. RFC 5321 wants minutes: servers delay their greeting on
    /// purpose, which most that send spam do not wait for.
    Duration greeting_timeout = std::chrono::seconds(60);

    /// A connection's options: { url, user, password, from, tls, ca_file }; user and password may
    /// stand in the URL, percent-encoded. `usage` otherwise; messages never show the password.
    static Result<SmtpTarget> from_options(const Json& options);
    /// On this host: nobody else listens in.
    bool is_local() const;
};

}  // namespace musher
