#include "reactor/drivers/postgres_target.h"

#include <postgresql/libpq-fe.h>

#include <algorithm>
#include <charconv>
#include <memory>

namespace musher {

namespace {
struct FreeOptions {
    void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};

/// What libpq leaves to chance, unless the URL says it.
void add_defaults(std::map<std::string, std::string>& settings) {
    // A dead peer is noticed while idle by keepalives, with unsent data by the user timeout.
    settings.try_emplace("keepalives_idle", "15");
    settings.try_emplace("keepalives_interval", "5");
    settings.try_emplace("keepalives_count", "3");
    settings.try_emplace("tcp_user_timeout", "20000");
    // "prefer" would look for Kerberos tickets on every connect.
    settings.try_emplace("gssencmode", "disable");
    settings.try_emplace("fallback_application_name", "musher");
    settings["client_encoding"] = "UTF8";
}

std::string take(std::map<std::string, std::string>& settings, const char* keyword) {
    const auto node = settings.extract(keyword);
    return node ? node.mapped() : std::string();
}

Failure no_url() {
    return fail(Errc::usage, "this is no postgres URL that libpq understands",
                "use postgresql://user:password@host:port/database?sslmode=verify-full, with "
                "special characters of the password as %XX, or host=… dbname=…");
}

/// In user:pass/word@host libpq takes the password's beginning for a port: that is not shown.
bool is_port(const std::string& text) {
    int value = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, bad] = std::from_chars(text.data(), end, value);
    return text.empty() || (bad == std::errc() && stop == end && value > 0 && value <= 65535);
}

/// In user:pass@word@host libpq takes the password's end for the host. An @ in front is an abstract
/// socket.
bool is_host(const std::string& text) { return text.find('@', 1) == std::string::npos; }

/// "a,,b" → {a, "", b}; "" → {}.
std::vector<std::string> split(const std::string& text) {
    std::vector<std::string> parts;
    if (text.empty()) return parts;
    std::size_t begin = 0;
    for (std::size_t comma = text.find(','); comma != std::string::npos;
         comma = text.find(',', begin)) {
        parts.push_back(text.substr(begin, comma - begin));
        begin = comma + 1;
    }
    parts.push_back(text.substr(begin));
    return parts;
}

Result<std::vector<PostgresServer>> take_servers(std::map<std::string, std::string>& settings) {
    const std::vector<std::string> hosts = split(take(settings, "host"));
    const std::vector<std::string> addresses = split(take(settings, "hostaddr"));
    const std::vector<std::string> ports = split(take(settings, "port"));
    if (!std::all_of(ports.begin(), ports.end(), is_port)) return no_url();
    if (!std::all_of(hosts.begin(), hosts.end(), is_host)) return no_url();
    const std::size_t count = std::max<std::size_t>({1, hosts.size(), addresses.size()});
    const auto fits = [&](const std::vector<std::string>& list) {
        return list.empty() || list.size() == count;
    };
    if (!fits(hosts) || !fits(addresses) || (ports.size() > 1 && ports.size() != count)) {
        return fail(Errc::usage,
                    "a postgres connection has lists of hosts, addresses and ports "
                    "that differ in length");
    }
    std::vector<PostgresServer> servers(count);
    for (std::size_t i = 0; i < count; ++i) {
        if (!hosts.empty()) servers[i].host = hosts[i];
        if (!addresses.empty()) servers[i].address = addresses[i];
        if (!ports.empty()) servers[i].port = ports.size() == 1 ? ports[0] : ports[i];
    }
    return servers;
}

Result<std::string> text_option(const Json& options, const char* name) {
    const auto found = options.find(name);
    if (found == options.end() || found->is_null()) return std::string();
    if (!found->is_string()) return fail(Errc::usage, std::string(name) + " is not a text");
    return found->get<std::string>();
}

void read_dial(const std::string& seconds, PostgresTarget& target) {
    int value = 0;
    std::from_chars(seconds.data(), seconds.data() + seconds.size(), value);
    if (value > 0) target.dial = std::chrono::seconds(value);
}
}  // namespace

std::string PostgresServer::text() const {
    const std::string shown = port.empty() ? "5432" : port;
    const std::string& where = host.empty() ? address : host;
    if (where.empty()) return "the local socket";
    const bool v6 = where.find(':') != std::string::npos;
    return (v6 ? "[" + where + "]" : where) + ":" + shown;
}

Result<PostgresTarget> PostgresTarget::from_url(const std::string& url) {
    char* said = nullptr;
    const std::unique_ptr<PQconninfoOption, FreeOptions> parsed(
        PQconninfoParse(url.c_str(), &said));
    PQfreemem(said);  // libpq quotes the part that it does not understand: maybe the password
    if (!parsed || url.find('\0') != std::string::npos) {
        return no_url();
    }
    PostgresTarget target;
    for (const PQconninfoOption* one = parsed.get(); one->keyword; ++one) {
        if (one->val) target.settings[one->keyword] = one->val;
    }
    MUSHER_TRY(target.servers, take_servers(target.settings));
    target.standby = take(target.settings, "target_session_attrs");
    // libpq heeds it only where it blocks.
    if (const auto seconds = target.settings.find("connect_timeout");
        seconds != target.settings.end()) {
        read_dial(seconds->second, target);
    }
    add_defaults(target.settings);
    return target;
}

Result<PostgresTarget> PostgresTarget::from_options(const Json& options) {
    if (options.is_string()) return from_url(options.get<std::string>());
    if (!options.is_object()) return fail(Errc::usage, "a postgres connection is a URL or a map");
    MUSHER_TRY(const std::string url, text_option(options, "url"));
    if (url.empty()) return fail(Errc::usage, "a postgres connection needs url");
    MUSHER_TRY(PostgresTarget target, from_url(url));
    MUSHER_TRY(const std::string password, text_option(options, "password"));
    if (!password.empty()) target.settings.try_emplace("password", password);
    if (const std::uint64_t most = size_in(options, "pool"); most > 0) target.pool = most;
    const std::uint64_t timeout = size_in(options, "connect_timeout");
    const bool in_url = target.settings.contains("connect_timeout");
    if (timeout > 0 && !in_url) target.dial = milliseconds(timeout);
    return target;
}

std::string PostgresTarget::name() const {
    std::string text = "postgresql://";
    for (const PostgresServer& server : servers) {
        if (&server != &servers.front()) text += ",";
        text += server.text();
    }
    const auto database = settings.find("dbname");
    if (database != settings.end()) text += "/" + database->second;
    return text;
}

}  // namespace musher
