#include "pipelines/config/tables.h"

namespace musher {

namespace {
using Type = OptionType;

Option option(std::string_view name, Type type, std::string_view help,
              std::string_view fallback = {}) {
    Option made;
    made.name = name;
    made.type = type;
    made.help = help;
    made.fallback = fallback;
    return made;
}
Option required(Option made) {
    made.required = true;
    return made;
}
Option templated(Option made) {
    made.templated = true;
    return made;
}
Option bounded(Option made, std::int64_t least, std::int64_t most) {
    made.least = least;
    made.most = most;
    return made;
}
Option choice(std::string_view name, std::string_view help, std::vector<std::string_view> choices,
              std::string_view fallback = {}) {
    Option made = option(name, Type::choice, help, fallback);
    made.choices = std::move(choices);
    return made;
}
}  // namespace

const std::vector<Option>& pipeline_table() {
    static const std::vector<Option> kTable = {
        required(bounded(option("version", Type::integer, "format of this file: 1"), 1, 1)),
        option("pipeline", Type::text, "name: a-z, 0-9, - and _; the file's stem by default"),
        option("description", Type::text, "one line for people"),
        required(option("source", Type::any, "what makes events: { KIND: { options } }")),
        option("when", Type::expression, "only events for which this is true become jobs"),
        templated(option("key", Type::text, "one job per key at a time, in order of acceptance")),
        required(option("steps", Type::steps, "what is done to a job, in order")),
        option("on_failure", Type::steps, "steps that run once when a job is dead"),
        option("limits", Type::any, "parallel, attempts, backoff, timeout, waiting, rate"),
        choice("via", "queue: through Redis; direct: the source owns retries and order",
               {"queue", "direct"}, "queue"),
        option("queue", Type::connection, "a redis connection of its own for this pipeline"),
        bounded(option("priority", Type::integer, "lower runs first", "0"), 0, 4095),
        option("dedupe", Type::expression, "at most one unfinished job per value"),
        option("tests", Type::any, "cases for `musher test`"),
    };
    return kTable;
}

const std::vector<Option>& limits_table() {
    static const std::vector<Option> kTable = {
        bounded(option("parallel", Type::integer, "jobs that run at the same time", "4"), 1, 1000),
        bounded(option("attempts", Type::integer, "tries before a job is dead", "5"), 1, 1000),
        option("backoff", Type::duration_range, "wait between tries: from .. to, full jitter",
               "1s..5m"),
        option("timeout", Type::duration, "longest time of one attempt; 0: none", "0"),
        bounded(option("waiting", Type::integer, "unfinished jobs before the source pauses", "1000"),
                1, 10'000'000),
        bounded(option("rate", Type::integer, "jobs started per second; 0: no limit", "0"), 0,
                1'000'000),
    };
    return kTable;
}

const std::vector<Option>& step_table() {
    static const std::vector<Option> kTable = {
        option("id", Type::text, "name of the step in steps.ID; its kind by default"),
        option("when", Type::expression, "the step is passed over unless this is true"),
        option("timeout", Type::duration, "longest time of the step; 0: none", "0"),
    };
    return kTable;
}

const std::vector<Option>& daemon_table() {
    static const std::vector<Option> kTable = {
        required(bounded(option("version", Type::integer, "format of this file: 1"), 1, 1)),
        option("state", Type::path, "directory for everything musher keeps",
               "/var/lib/musher"),
        option("node", Type::text, "name shown for this host; the host name by default"),
        option("timezone", Type::text, "zone of event.date", "UTC"),
        option("pipelines", Type::text_list, "a directory of pipeline files, or a list"),
        option("queue", Type::any, "the Redis that holds the jobs; left out: a private one"),
        option("http", Type::any, "the HTTP API: listen, token, users_file, path_prefix"),
        option("log", Type::any, "level, to, tty"),
        option("history", Type::any, "how long finished jobs are remembered: keep, jobs"),
        option("sentry", Type::any, "error reports: dsn, level"),
        option("sentry_dsn", Type::text, "the same as sentry: { dsn }"),
        option("sentry_log_level", Type::text, "the same as sentry: { level }"),
        option("connections", Type::any, "NAME: { KIND: { options } }"),
        option("environment", Type::text_map, "what expressions see as env"),
        option("vars", Type::any, "what expressions see as vars"),
    };
    return kTable;
}

const std::vector<Option>& queue_table() {
    static const std::vector<Option> kTable = {
        option("redis", Type::any, "a URL, or { sentinels, master, … }"),
        choice("appendfsync", "fsync of the private server: always loses nothing",
               {"always", "everysec"}, "always"),
    };
    return kTable;
}

const std::vector<Option>& redis_table() {
    static const std::vector<Option> kTable = {
        option("url", Type::text, "redis://[user:password@]host:port/db or unix:/path"),
        option("sentinels", Type::text_list, "host:port of each Sentinel"),
        option("master", Type::text, "the master's name at the Sentinels"),
        option("user", Type::text, "ACL user"),
        option("password", Type::secret, "password of the server"),
        option("sentinel_password", Type::secret, "password of the Sentinels"),
        bounded(option("db", Type::integer, "database number", "0"), 0, 1'000'000),
    };
    return kTable;
}

const std::vector<Option>& http_table() {
    static const std::vector<Option> kTable = {
        option("listen", Type::text, "host:port; loopback unless there is a token"),
        option("token", Type::secret, "needed for changing calls over TCP"),
        option("users_file", Type::path, "users of the dashboard"),
        option("path_prefix", Type::text, "path that a proxy puts in front"),
    };
    return kTable;
}

const std::vector<Option>& log_table() {
    static const std::vector<Option> kTable = {
        choice("level", "least important line that is written",
               {"debug", "info", "warning", "error"}, "info"),
        option("to", Type::text, "stderr, journald or a file", "stderr"),
        option("tty", Type::path, "terminal that shows each file's story"),
    };
    return kTable;
}

const std::vector<Option>& history_table() {
    static const std::vector<Option> kTable = {
        option("keep", Type::duration, "how long a finished job is remembered", "7d"),
        bounded(option("jobs", Type::integer, "how many at most", "100000"), 0, 100'000'000),
    };
    return kTable;
}

const std::vector<Option>& sentry_table() {
    static const std::vector<Option> kTable = {
        option("dsn", Type::text, "where reports go"),
        option("level", Type::text, "Python's number or a name; 40 = error", "40"),
    };
    return kTable;
}

const std::vector<ConnectionKind>& connection_kinds() {
    static const std::vector<ConnectionKind> kKinds = {
        {"redis", "a Redis server", redis_table()},
        {"postgres",
         "a PostgreSQL database",
         {required(option("url", Type::text, "postgresql://user:password@host:port/database")),
          option("options", Type::text_map, "further libpq keywords")}},
        {"s3",
         "an S3 bucket",
         {required(option("bucket", Type::text, "name of the bucket")),
          option("endpoint", Type::text, "URL of the server; AWS by default"),
          option("region", Type::text, "region of the bucket", "us-east-1"),
          option("access_key", Type::text, "access key id"),
          option("secret_key", Type::secret, "secret access key"),
          option("session_token", Type::secret, "token of temporary credentials")}},
        {"ftp",
         "an FTP, FTPS or SFTP server",
         {required(option("url", Type::text, "ftp://, ftps:// or sftp://host:port/path")),
          option("user", Type::text, "login name"),
          option("password", Type::secret, "password"),
          option("key_file", Type::path, "private key for SFTP"),
          option("known_hosts", Type::path, "host keys for SFTP")}},
        {"mongo",
         "a MongoDB replica set",
         {required(option("url", Type::text, "mongodb://host:port/?replicaSet=name"))}},
        {"smtp",
         "a mail server",
         {required(option("url", Type::text, "smtp://host:port or smtps://host:port")),
          option("user", Type::text, "login name"),
          option("password", Type::secret, "password"),
          option("from", Type::text, "sender's address")}},
    };
    return kKinds;
}

}  // namespace musher
