#include "pipelines/config/connections.h"

#include <fmt/format.h>

#include <algorithm>

#include "pipelines/config/problems.h"
#include "reactor/base/text.h"
#include "reactor/drivers/postgres_target.h"
#include "reactor/drivers/redis_target.h"
#include "reactor/drivers/smtp_target.h"

namespace musher {

namespace {
using Type = OptionType;

ConnectionKind redis_kind() {
    return {.name = "redis",
            .summary = "a Redis server, or Sentinels that know it",
            .options = {
                {.name = "url",
                 .type = Type::text,
                 .help = "redis://[user:password@]host[:port][/db], unix:/path or a path"},
                {.name = "user", .type = Type::text, .help = "user of Redis' access lists"},
                {.name = "password", .type = Type::secret, .help = "its password"},
                {.name = "db",
                 .type = Type::integer,
                 .help = "database number",
                 .least = 0,
                 .most = 65535},
                {.name = "sentinels",
                 .type = Type::text_list,
                 .help = "host:port of each Sentinel, instead of url"},
                {.name = "master", .type = Type::text, .help = "name that the Sentinels know"},
                {.name = "sentinel_user", .type = Type::text, .help = "user on the Sentinels"},
                {.name = "sentinel_password",
                 .type = Type::secret,
                 .help = "password on the Sentinels"},
            }};
}

ConnectionKind postgres_kind() {
    return {.name = "postgres",
            .summary = "a PostgreSQL database",
            .options = {
                {.name = "url",
                 .type = Type::text,
                 .help = "postgresql://user:password@host:port/database, or host=… dbname=…; more "
                         "of libpq's settings after a ?: sslmode=verify-full&sslrootcert=FILE",
                 .required = true},
                {.name = "password", .type = Type::secret, .help = "password, if not in url"},
                {.name = "pool",
                 .type = Type::integer,
                 .help = "most connections at a time",
                 .fallback = "4",
                 .least = 1,
                 .most = 1000},
                {.name = "connect_timeout",
                 .type = Type::duration,
                 .help = "longest time until connected",
                 .fallback = "10s",
                 .least = 1},
            }};
}

ConnectionKind s3_kind() {
    return {
        .name = "s3",
        .summary = "a bucket on S3 or what speaks like it",
        .options = {
            {.name = "endpoint",
             .type = Type::text,
             .help = "URL of the service; Amazon's by default"},
            {.name = "region",
             .type = Type::text,
             .help = "region of the bucket",
             .fallback = "us-east-1"},
            {.name = "bucket", .type = Type::text, .help = "name of the bucket", .required = true},
            {.name = "prefix", .type = Type::text, .help = "put in front of every key"},
            {.name = "access_key",
             .type = Type::text,
             .help = "access key id; without it AWS' own places are asked"},
            {.name = "secret_key", .type = Type::secret, .help = "secret access key"},
            {.name = "session_token",
             .type = Type::secret,
             .help = "token of temporary credentials"},
            {.name = "path_style",
             .type = Type::boolean,
             .help = "bucket in the path, not in the host name; by default true with an "
                     "endpoint"},
        }};
}

ConnectionKind ftp_kind() {
    return {
        .name = "ftp",
        .summary = "a server for files over FTP, FTPS or SFTP",
        .options = {
            {.name = "url",
             .type = Type::text,
             .help = "ftp://, ftps:// or sftp://host[:port][/folder]",
             .required = true},
            {.name = "user", .type = Type::text, .help = "who signs in"},
            {.name = "password", .type = Type::secret, .help = "its password"},
            {.name = "tls",
             .type = Type::choice,
             .help = "required: ftp:// must switch to TLS; try: if the server can; none",
             .fallback = "try",
             .choices = {"none", "try", "required"}},
            {.name = "private_key", .type = Type::path, .help = "key file for sftp:// (ed25519)"},
            {.name = "known_hosts",
             .type = Type::path,
             .help = "host keys for sftp://, as ssh keeps them"},
            {.name = "ca_file", .type = Type::path, .help = "certificates to trust for TLS"},
        }};
}

ConnectionKind mongo_kind() {
    return {.name = "mongo",
            .summary = "a MongoDB replica set",
            .options = {
                {.name = "url",
                 .type = Type::text,
                 .help = "mongodb://… or mongodb+srv://…",
                 .required = true},
                {.name = "database", .type = Type::text, .help = "database, if not in url"},
            }};
}

ConnectionKind smtp_kind() {
    return {.name = "smtp",
            .summary = "a server that takes mail",
            .options = {
                {.name = "url",
                 .type = Type::text,
                 .help = "smtp://host[:587] or smtps://host[:465]",
                 .required = true},
                {.name = "user", .type = Type::text, .help = "who signs in"},
                {.name = "password", .type = Type::secret, .help = "its password"},
                {.name = "from",
                 .type = Type::text,
                 .help = "the sender: an address, or Name <address>; by default the user, where "
                         "that is one"},
                {.name = "tls",
                 .type = Type::choice,
                 .help = "required: smtp:// must switch to TLS; try: if the server can; none",
                 .fallback = "required",
                 .choices = {"none", "try", "required"}},
                {.name = "ca_file", .type = Type::path, .help = "certificates to trust for TLS"},
            }};
}

/// scheme://user:password@host written out in the file.
bool shows_password(const Value& url) {
    if (url.secret || !url.is(Value::Kind::string)) return false;
    const std::size_t scheme = url.text.find("://");
    if (scheme == std::string::npos) return false;
    const std::string_view authority = std::string_view(url.text).substr(
        scheme + 3, url.text.find_first_of("/?#", scheme + 3) - scheme - 3);
    const std::size_t at = authority.rfind('@');
    const std::size_t colon = authority.find(':');
    return at != std::string_view::npos && colon < at && colon + 1 < at;
}

/// `{ KIND: { options } }` → the kind's entry; null after a fault.
const ConnectionKind* kind_of_connection(const Value::Entry& named,
                                         std::vector<Problem>& problems) {
    const Value& value = named.value;
    if (value.faulty) return nullptr;
    if (!value.is(Value::Kind::map) || value.entries.size() != 1) {
        add_error(
            problems, value.at, "bad_connection",
            fmt::format("connection `{}` wants exactly one kind, found {}", named.key,
                        value.is(Value::Kind::map) ? fmt::format("{} keys", value.entries.size())
                                                   : describe_found(value)),
            fmt::format("write {}: {{ KIND: {{ options }} }}", named.key));
        return nullptr;
    }
    const Value::Entry& only = value.entries.front();
    const ConnectionKind* kind = find_connection_kind(only.key);
    if (!kind) {
        std::vector<std::string_view> names;
        for (const ConnectionKind& known : connection_kinds()) names.push_back(known.name);
        add_error(problems, only.at, "unknown_connection_kind",
                  fmt::format("there is no kind of connection `{}`", only.key),
                  suggest(only.key, names));
    }
    return kind;
}

/// What the driver made of the options as `written`; a warning when a sound URL shows a password.
template <class Target>
void report(const Result<Target>& target, std::string_view code, const Value& written,
            std::vector<Problem>& problems) {
    const Value* url = written.find("url");
    if (!target) {
        add_error(problems, url ? url->at : written.at, code, target.error().message,
                  target.error().hint);
    } else if (url && shows_password(*url)) {
        add_warning(problems, url->at, "literal_secret", "the URL shows its password",
                    "write the whole URL as !env NAME or !file PATH");
    }
}

bool any_faulty(const Value& written) {
    return std::any_of(written.entries.begin(), written.entries.end(),
                       [](const Value::Entry& entry) { return entry.value.faulty; });
}

void check_postgres(const Options& options, const Value& written, std::vector<Problem>& problems) {
    if (any_faulty(written)) return;
    report(PostgresTarget::from_options(options.values()), "bad_postgres", written, problems);
}

/// A password that anybody on the way can read.
void check_smtp(const Options& options, const Value& written, std::vector<Problem>& problems) {
    if (any_faulty(written)) return;
    const Result<SmtpTarget> target = SmtpTarget::from_options(options.values());
    report(target, "bad_smtp", written, problems);
    if (!target || target->password.empty() || !target->url.starts_with("smtp://")) return;
    if (target->tls == SmtpTarget::Tls::required || target->is_local()) return;
    const Value* tls = written.find("tls");
    add_warning(problems, tls ? tls->at : written.at, "open_password",
                "the password may be sent in the clear",
                "leave tls out, so that a connection has to be encrypted");
}
}  // namespace

const std::vector<ConnectionKind>& connection_kinds() {
    static const std::vector<ConnectionKind> kKinds = {postgres_kind(), redis_kind(), s3_kind(),
                                                       ftp_kind(),      mongo_kind(), smtp_kind()};
    return kKinds;
}

const ConnectionKind* find_connection_kind(std::string_view name) {
    for (const ConnectionKind& kind : connection_kinds()) {
        if (kind.name == name) return &kind;
    }
    return nullptr;
}

void check_redis(const Options& options, const Value& written, std::vector<Problem>& problems) {
    if (any_faulty(written)) return;
    report(RedisTarget::from_options(options.values()), "bad_redis", written, problems);
}

Connections read_connections(const Value& map, std::vector<Problem>& problems) {
    Connections connections;
    if (!map.is(Value::Kind::map)) {
        if (!map.faulty && !map.is(Value::Kind::null)) {
            add_error(
                problems, map.at, "bad_type",
                fmt::format("`connections` wants a map of names, found {}", describe_found(map)),
                "write NAME: { KIND: { options } }");
        }
        return connections;
    }
    for (const Value::Entry& named : map.entries) {
        if (!is_identifier(named.key)) {
            add_error(problems, named.at, "bad_name",
                      fmt::format("`{}` cannot name a connection", named.key),
                      "use a-z, 0-9, - and _, at most 64 of them");
        }
        const ConnectionKind* kind = kind_of_connection(named, problems);
        if (!kind) continue;
        const std::size_t before = problems.size();
        const Value written = with_shorthand(named.value.entries.front().value, kind->scalar);
        const Options options = decode(kind->options, written, kind->name, problems);
        const Value* url = written.find("url");
        if (kind->name == "redis") {
            if (problems.size() == before) check_redis(options, written, problems);
        } else if (kind->name == "postgres") {
            if (problems.size() == before) check_postgres(options, written, problems);
        } else if (kind->name == "smtp") {
            if (problems.size() == before) check_smtp(options, written, problems);
        } else if (url && shows_password(*url)) {
            add_warning(problems, url->at, "literal_secret", "the URL shows its password",
                        "write the whole URL as !env NAME or !file PATH");
        }
        // A faulty one keeps its name, so that its users are not called wrong too.
        connections[named.key] = Connection{std::string(kind->name), options.values()};
    }
    return connections;
}

}  // namespace musher
