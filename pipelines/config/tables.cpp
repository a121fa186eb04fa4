#include "pipelines/config/tables.h"

#include <fmt/format.h>

#include "pipelines/config/connections.h"
#include "pipelines/config/problems.h"

namespace musher {

namespace {
using Type = OptionType;
constexpr std::int64_t kVersion = 1;

Option version_option() {
    return {.name = "version",
            .type = Type::integer,
            .help = "format of this file; write 1",
            .required = true};
}

std::vector<Option> limits_options() {
    return {
        {.name = "parallel",
         .type = Type::integer,
         .help = "jobs that run at the same time",
         .fallback = "4",
         .least = 1,
         .most = 1000},
        {.name = "attempts",
         .type = Type::integer,
         .help = "tries before a job is dead",
         .fallback = "5",
         .least = 1,
         .most = 1000},
        {.name = "backoff",
         .type = Type::duration_range,
         .help = "wait between tries, from the first to the longest; full jitter",
         .fallback = "1s..5m"},
        {.name = "timeout",
         .type = Type::duration,
         .help = "longest time of one attempt; 0 is no limit",
         .fallback = "0"},
        {.name = "waiting",
         .type = Type::integer,
         .help = "jobs in the queue at which the source pauses",
         .fallback = "1000",
         .least = 1,
         .most = 10'000'000},
        {.name = "rate",
         .type = Type::integer,
         .help = "jobs started per second; 0 is no limit",
         .fallback = "0",
         .least = 0,
         .most = 1'000'000},
    };
}

std::vector<Option> queue_options() {
    return {
        {.name = "redis",
         .type = Type::section,
         .help = "a shared Redis: a URL, or Sentinels and a master; without it musher starts a "
                 "private one",
         .options = find_connection_kind("redis")->options,
         .scalar = "url"},
        {.name = "appendfsync",
         .type = Type::choice,
         .help = "when the private Redis writes through to the disk",
         .fallback = "always",
         .choices = {"always", "everysec"}},
    };
}

std::vector<Option> http_options() {
    return {
        {.name = "listen",
         .type = Type::text,
         .help = "IP address and port of API, /metrics and /health, such as 127.0.0.1:8470; "
                 "without it none of them"},
        {.name = "token",
         .type = Type::secret,
         .help = "what changing calls must bring along and, where other hosts can reach `listen`, "
                 "all but /health"},
        {.name = "users_file",
         .type = Type::path,
         .help = "names and password hashes, as htpasswd writes them; refused by this version"},
        {.name = "path_prefix",
         .type = Type::text,
         .help = "path that a reverse proxy leaves in front, such as /musher"},
    };
}

std::vector<Option> log_options() {
    return {
        {.name = "level",
         .type = Type::choice,
         .help = "least level that is written",
         .fallback = "info",
         .choices = {"debug", "info", "warning", "error"}},
        {.name = "to",
         .type = Type::text,
         .help = "journald, stderr or a file's path; a file is renamed at 15 MiB, ten are kept",
         .fallback = "stderr"},
        {.name = "tty",
         .type = Type::path,
         .help = "a terminal, such as /dev/tty1, that shows each job's story as it happens"},
    };
}

std::vector<Option> history_options() {
    return {
        {.name = "keep",
         .type = Type::duration,
         .help = "how long finished jobs are remembered",
         .fallback = "7d",
         .least = 0},
        {.name = "jobs",
         .type = Type::integer,
         .help = "how many of them, at most",
         .fallback = "100000",
         .least = 0,
         .most = 100'000'000},
    };
}

std::vector<Option> sentry_options() {
    return {
        {.name = "dsn",
         .type = Type::text,
         .help = "where log records and dead jobs are reported: https://KEY@HOST/PROJECT; without "
                 "it $SENTRY_DSN"},
        {.name = "level",
         .type = Type::text,
         .help = "least level that is reported: debug, info, warning, error, critical, or their "
                 "numbers 10 to 50; without it $SENTRY_LOG_LEVEL; dead jobs always are",
         .fallback = "error"},
    };
}
}  // namespace

const std::vector<Option>& daemon_table() {
    static const std::vector<Option> kTable = {
        version_option(),
        {.name = "state",
         .type = Type::path,
         .help = "directory of everything that musher keeps",
         .fallback = "/var/lib/musher"},
        {.name = "node",
         .type = Type::text,
         .help = "name shown for this host; the host name by default"},
        {.name = "timezone",
         .type = Type::text,
         .help = "zone of event.date, such as Europe/Vienna",
         .fallback = "UTC"},
        {.name = "pipelines",
         .type = Type::text_list,
         .help = "directory of pipeline files, or a list of directories and files; relative to "
                 "this file",
         .fallback = "pipelines"},
        {.name = "queue",
         .type = Type::section,
         .help = "where jobs are kept",
         .options = queue_options()},
        {.name = "http",
         .type = Type::section,
         .help = "API over TCP",
         .options = http_options()},
        {.name = "log", .type = Type::section, .help = "log lines", .options = log_options()},
        {.name = "history",
         .type = Type::section,
         .help = "memory of finished jobs",
         .options = history_options()},
        {.name = "sentry",
         .type = Type::section,
         .help = "error reports",
         .options = sentry_options(),
         .scalar = "dsn"},
        {.name = "sentry_dsn", .type = Type::text, .help = "the same as sentry.dsn"},
        {.name = "sentry_log_level", .type = Type::text, .help = "the same as sentry.level"},
        {.name = "connections",
         .type = Type::any,
         .help = "servers by name: NAME: { KIND: { options } }"},
        {.name = "environment", .type = Type::any, .help = "what expressions see as env"},
        {.name = "vars", .type = Type::any, .help = "what expressions see as vars"},
    };
    return kTable;
}

const std::vector<Option>& pipeline_table() {
    static const std::vector<Option> kTable = {
        version_option(),
        {.name = "pipeline",
         .type = Type::text,
         .help = "name: a-z, 0-9, - and _; the file's stem by default"},
        {.name = "description", .type = Type::text, .help = "a line for people"},
        {.name = "source",
         .type = Type::any,
         .help = "what makes events: { KIND: { options } }",
         .required = true},
        {.name = "when",
         .type = Type::expression,
         .help = "only events for which this is true become jobs"},
        {.name = "key",
         .type = Type::text,
         .help = "one job per key at a time, in order of acceptance; nil and \"\" are no key",
         .templated = true},
        {.name = "steps",
         .type = Type::steps,
         .help = "what is done to a job, in order",
         .required = true},
        {.name = "on_failure",
         .type = Type::steps,
         .help = "what is done once when a job is dead; job.error says why"},
        {.name = "limits",
         .type = Type::section,
         .help = "how many, how often, how long",
         .options = limits_options()},
        {.name = "via",
         .type = Type::choice,
         .help = "queue: through Redis; direct: the source itself owns retries and order",
         .fallback = "queue",
         .choices = {"queue", "direct"}},
        {.name = "queue",
         .type = Type::connection,
         .help = "a Redis of its own for this pipeline's jobs",
         .choices = {"redis"}},
        {.name = "priority",
         .type = Type::integer,
         .help = "lower runs first",
         .fallback = "0",
         .least = 0,
         .most = 4095},
        {.name = "dedupe",
         .type = Type::expression,
         .help = "at most one unfinished job per value; another file of it makes no job and goes "
                 "where done ones go, or to failed/ where those are deleted"},
        {.name = "tests",
         .type = Type::any,
         .help = "cases for `musher test`: [ { name, given, simulate, expect } ]"},
    };
    return kTable;
}

const std::vector<Option>& step_table() {
    static const std::vector<Option> kTable = {
        {.name = "id",
         .type = Type::text,
         .help = "name of the step, for steps.ID; its kind by default, then KIND-2, …"},
        {.name = "when", .type = Type::expression, .help = "the step is passed over unless true"},
        {.name = "timeout",
         .type = Type::duration,
         .help = "longest time of the step; 0 is no limit",
         .fallback = "0"},
    };
    return kTable;
}

const std::vector<Option>& case_table() {
    static const std::vector<Option> kTable = {
        {.name = "when",
         .type = Type::expression,
         .help = "the case is taken when this is true",
         .required = true},
        {.name = "steps", .type = Type::steps, .help = "what is done then", .required = true},
    };
    return kTable;
}

const Option* find_option(const std::vector<Option>& table, std::string_view name) {
    for (const Option& option : table) {
        if (option.name == name) return &option;
    }
    return nullptr;
}

bool check_version(const Value& root, std::vector<Problem>& problems) {
    const Value* version = root.find("version");
    if (!version || !version->is(Value::Kind::integer)) return true;  // decode() says so
    if (version->integer == kVersion) return true;
    add_error(problems, version->at, "unknown_version",
              fmt::format("this musher reads files of version {}, found version {}", kVersion,
                          version->integer),
              version->integer > kVersion ? "the file is for a newer musher"
                                          : fmt::format("write `version: {}`", kVersion));
    return false;
}

}  // namespace musher
