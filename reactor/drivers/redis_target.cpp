#include "reactor/drivers/redis_target.h"

#include <charconv>

#include "reactor/base/text.h"

namespace musher {

namespace {
constexpr std::string_view kForms =
    "redis://[user[:password]@]host[:port][/db], unix:/path or a path";

Result<int> parse_number(std::string_view text, int lowest, int highest, std::string_view what) {
    int value = 0;
    const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (bad != std::errc() || end != text.data() + text.size() || value < lowest ||
        value > highest) {
        return fail(Errc::usage, "'" + std::string(text) + "' is no " + std::string(what));
    }
    return value;
}

Result<RedisTarget> parse_unix(std::string_view rest) {
    RedisTarget target;
    const std::size_t query = rest.find('?');
    target.unix_path = url_decode(rest.substr(0, query));
    if (query != std::string_view::npos) {
        const std::string_view option = rest.substr(query + 1);
        if (!option.starts_with("db=")) {
            return fail(Errc::usage, "a redis unix URL has no option but db=N");
        }
        MUSHER_TRY(target.db, parse_number(option.substr(3), 0, 65535, "database number"));
    }
    if (target.unix_path.empty() || target.unix_path[0] != '/') {
        return fail(Errc::usage, "a redis unix URL needs an absolute path");
    }
    return target;
}

Result<RedisTarget> parse_tcp(std::string_view rest) {
    RedisTarget target;
    const std::size_t at = rest.rfind('@');
    if (at != std::string_view::npos) {
        const std::string_view login = rest.substr(0, at);
        const std::size_t colon = login.find(':');
        target.user = url_decode(login.substr(0, colon));
        if (colon != std::string_view::npos) {
            target.password = url_decode(login.substr(colon + 1));
        }
        rest.remove_prefix(at + 1);
    }
    const std::size_t slash = rest.find('/');
    if (slash != std::string_view::npos && slash + 1 < rest.size()) {
        MUSHER_TRY(target.db, parse_number(rest.substr(slash + 1), 0, 65535, "database number"));
    }
    MUSHER_TRY(target.server, HostPort::parse(rest.substr(0, slash), 6379));
    return target;
}

Result<void> read_text(const Json& options, const char* name, std::string& into) {
    const auto found = options.find(name);
    if (found == options.end() || found->is_null()) return {};
    if (!found->is_string()) return fail(Errc::usage, std::string(name) + " is not a text");
    into = found->get<std::string>();
    return {};
}

Result<void> read_sentinels(const Json& options, RedisTarget& target) {
    const auto list = options.find("sentinels");
    if (list == options.end() || list->is_null()) return {};
    if (!list->is_array() || list->empty()) {
        return fail(Errc::usage, "sentinels is not a list of host:port");
    }
    for (const Json& one : *list) {
        if (!one.is_string()) return fail(Errc::usage, "sentinels is not a list of host:port");
        MUSHER_TRY(target.sentinels.emplace_back(),
                   HostPort::parse(one.get_ref<const std::string&>(), 26379));
    }
    if (target.master.empty()) {
        return fail(Errc::usage, "sentinels without master",
                    "say which master to ask them for: master: NAME");
    }
    return {};
}
}  // namespace

Result<HostPort> HostPort::parse(std::string_view text, int default_port) {
    HostPort result;
    std::string_view port;
    if (text.starts_with('[')) {
        const std::size_t end = text.find(']');
        if (end == std::string_view::npos) {
            return fail(Errc::usage, "'" + std::string(text) + "' has no ]");
        }
        result.host = text.substr(1, end - 1);
        port = text.substr(end + 1);
    } else {
        // A bare IPv6 address, as Sentinels report it, has several colons and maybe a port last.
        const std::size_t colon = text.rfind(':');
        result.host = text.substr(0, colon);
        if (colon != std::string_view::npos) port = text.substr(colon);
    }
    if (result.host.empty()) return fail(Errc::usage, "'" + std::string(text) + "' has no host");
    result.port = default_port;
    if (port.empty()) return result;
    if (port[0] != ':') return fail(Errc::usage, "'" + std::string(text) + "' is no host:port");
    MUSHER_TRY(result.port, parse_number(port.substr(1), 1, 65535, "port"));
    return result;
}

std::string HostPort::text() const {
    const bool v6 = host.find(':') != std::string::npos;
    return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<RedisTarget> RedisTarget::from_url(std::string_view url) {
    if (url.starts_with("rediss://")) {
        return fail(Errc::usage, "TLS to redis (rediss://) is not supported",
                    "put stunnel between: redis://127.0.0.1:PORT to its local end, or use a unix "
                    "socket");
    }
    if (url.starts_with("redis+unix://")) return parse_unix(url.substr(13));
    if (url.starts_with("unix://")) return parse_unix(url.substr(7));
    if (url.starts_with("unix:")) return parse_unix(url.substr(5));
    if (url.starts_with('/')) return parse_unix(url);
    if (url.starts_with("redis://")) return parse_tcp(url.substr(8));
    // The text itself may hold a password: it is not repeated.
    return fail(Errc::usage, "this is no redis URL", "use " + std::string(kForms));
}

Result<RedisTarget> RedisTarget::from_options(const Json& options) {
    if (options.is_string()) return from_url(options.get_ref<const std::string&>());
    if (!options.is_object()) return fail(Errc::usage, "a redis connection is a URL or a map");
    RedisTarget target;
    std::string url;
    MUSHER_DO(read_text(options, "url", url));
    if (!url.empty()) {
        MUSHER_TRY(target, from_url(url));
    }
    MUSHER_DO(read_text(options, "user", target.user));
    MUSHER_DO(read_text(options, "password", target.password));
    MUSHER_DO(read_text(options, "master", target.master));
    MUSHER_DO(read_text(options, "sentinel_user", target.sentinel_user));
    MUSHER_DO(read_text(options, "sentinel_password", target.sentinel_password));
    MUSHER_DO(read_sentinels(options, target));
    if (const auto db = options.find("db"); db != options.end() && !db->is_null()) {
        if (!db->is_number_integer()) return fail(Errc::usage, "db is not a number");
        target.db = db->get<int>();
    }
    if (url.empty() && target.sentinels.empty()) {
        return fail(Errc::usage, "a redis connection needs url, or sentinels and master");
    }
    return target;
}

std::string RedisTarget::name() const {
    if (!sentinels.empty()) return "sentinel:" + master;
    if (!unix_path.empty()) return "unix:" + unix_path;
    return "redis://" + server.text() + "/" + std::to_string(db);
}

}  // namespace musher
