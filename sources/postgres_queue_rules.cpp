#include "sources/postgres_queue_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "reactor/drivers/postgres_result.h"

namespace musher::postgres_queue {

namespace {
constexpr std::size_t kNameBytes = 63;  // what PostgreSQL keeps of a name

Faults check_table_name(const std::string& option, const std::string& name) {
    const auto dots = std::count(name.begin(), name.end(), '.');
    const bool sound = !name.empty() && name.front() != '.' && name.back() != '.' && dots <= 1;
    if (sound) return {};
    return {Error(Errc::usage, fmt::format("`{}` names no table", option),
                  "write NAME or SCHEMA.NAME")};
}

Columns read_columns(const Options& given) {
    Columns columns;
    const bool own = std::any_of(roles().begin(), roles().end(),
                                 [&](const Role& role) { return given.has(role.option); });
    for (const Role& role : roles()) {
        const bool needed = role.column == &Columns::id || role.column == &Columns::status;
        std::string& column = columns.*role.column;
        column = given.text(role.option);
        if (column.empty() && (needed || !own)) column = role.fallback;
    }
    return columns;
}

void check_columns(const Options& given, Faults& faults) {
    std::map<std::string, std::string_view> taken;
    const Columns columns = read_columns(given);
    for (const Role& role : roles()) {
        const std::string& column = columns.*role.column;
        if (given.has(role.option) && given.text(role.option).empty()) {
            faults.emplace_back(Errc::usage, fmt::format("`columns.{}` is empty", role.option),
                                "leave it out: what is not named is not used");
        }
        if (column.empty()) continue;
        const auto [other, fresh] = taken.emplace(column, role.option);
        if (fresh) continue;
        faults.emplace_back(Errc::usage, fmt::format("`columns.{}` names the column {}, as {} does",
                                                     role.option, column, other->second));
    }
}

void check_statuses(const Options& given, Faults& faults) {
    std::map<std::string, std::string_view> taken;
    for (const std::string_view option : {"waiting", "running", "done", "failed"}) {
        const auto [other, fresh] = taken.emplace(given.text(option), option);
        if (fresh) continue;
        faults.emplace_back(Errc::usage,
                            fmt::format("`statuses.{}` is the same as {}", option, other->second),
                            "each status needs a value of its own");
    }
}
}  // namespace

const std::vector<Role>& roles() {
    static const std::vector<Role> kRoles = {
        {"id", &Columns::id, "id", "the primary key, of one column and any type"},
        {"status", &Columns::status, "status", "text, an enum or a number; see statuses"},
        {"priority", &Columns::priority, "priority", "lower first"},
        {"token", &Columns::token, "token", "text or uuid: one per claim"},
        {"reactor", &Columns::reactor, "reactor", "text or uuid: which reactor holds the row"},
        {"tries", &Columns::tries, "tries", "a number: how often the row was given out"},
        {"error", &Columns::error, "error",
         "why it failed; to an array each run appends one element, NULL when it was done"},
        {"created", &Columns::created, "created", "older first, within a priority"},
        {"started", &Columns::started, "started", "a timestamp: when it was claimed"},
        {"updated", &Columns::updated, "updated", "a timestamp: its last change by musher"},
        {"finished", &Columns::finished, "finished", "a timestamp: when it was done or failed"},
    };
    return kRoles;
}

Rules read_rules(const Options& options) {
    Rules rules;
    rules.connection = options.text("connection");
    rules.table = options.text("table");
    rules.reactors = options.text("reactors");
    const Options columns = options.section("columns");
    rules.columns = read_columns(columns);
    rules.own_names = std::any_of(roles().begin(), roles().end(),
                                  [&](const Role& role) { return columns.has(role.option); });
    const Options statuses = options.section("statuses");
    rules.statuses = Statuses{statuses.text("waiting"), statuses.text("running"),
                              statuses.text("done"), statuses.text("failed")};
    rules.where = options.text("where");
    rules.order = options.text("order");
    rules.channel = options.text("channel");
    rules.batch = static_cast<std::size_t>(options.integer("batch"));
    rules.poll = options.duration("poll");
    rules.lease = options.duration("lease");
    rules.max_tries = options.integer("max_tries");
    return rules;
}

Faults check_rules(const Options& options) {
    Faults faults;
    for (const char* name : {"table", "reactors"}) {
        const std::string text = options.text(name);
        if (text.empty() && !options.has(name)) continue;  // missing, and said so
        for (Error& fault : check_table_name(name, text)) faults.push_back(std::move(fault));
    }
    check_columns(options.section("columns"), faults);
    check_statuses(options.section("statuses"), faults);
    if (options.text("channel").size() > kNameBytes) {
        faults.emplace_back(Errc::usage, "`channel` is longer than 63 bytes");
    }
    return faults;
}

Result<std::string> table_sql(const std::string& table, const std::string& key) {
    for (Error& fault : check_table_name("TABLE", table)) return fail(std::move(fault));
    std::string word = table;
    std::replace(word.begin(), word.end(), '.', '_');
    constexpr std::size_t kMost = kNameBytes - std::string_view("_waiting").size();
    if (word.size() > kMost) {
        return fail(Errc::usage, fmt::format("TABLE is longer than {} bytes", kMost),
                    "the names of its indexes are made from it");
    }
    std::string columns;  // a key of another name: then all have to be named
    for (const Role& role : roles()) {
        if (key == "id") break;
        const std::string_view name = role.column == &Columns::id ? key : role.fallback;
        columns +=
            fmt::format("{}{}: {}", columns.empty() ? ", columns: { " : ", ", role.option, name);
    }
    if (!columns.empty()) columns += " }";
    const auto named = [&](const char* suffix) { return postgres_identifier(word + suffix); };
    return fmt::format(
        R"sql(-- postgres_queue: {{ connection: NAME, table: {shown}, channel: {word}{columns} }}
CREATE TABLE IF NOT EXISTS musher_reactors (
    id text PRIMARY KEY,
    node text NOT NULL,
    pipeline text NOT NULL,
    beat_at timestamptz NOT NULL
) WITH (fillfactor = 50);
CREATE TABLE {table} (
    {key} bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    status text NOT NULL DEFAULT 'waiting'
        CHECK (status IN ('waiting', 'running', 'done', 'failed')),
    priority integer NOT NULL DEFAULT 0,
    payload jsonb NOT NULL DEFAULT '{{}}',
    token uuid,
    reactor uuid,
    tries integer NOT NULL DEFAULT 0,
    error text,
    created timestamptz NOT NULL DEFAULT now(),
    started timestamptz,
    updated timestamptz,
    finished timestamptz
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
        autovacuum_vacuum_cost_delay = 0);
CREATE INDEX {waiting} ON {table} (priority, created, {key}) WHERE status = 'waiting';
CREATE INDEX {running} ON {table} (reactor, {key}) WHERE status = 'running';
-- A doorbell: one notification without content for a statement, however many rows it adds.
CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS
    $ring$ BEGIN NOTIFY {channel}; RETURN NULL; END $ring$;
CREATE TRIGGER {ring} AFTER INSERT ON {table} FOR EACH STATEMENT EXECUTE FUNCTION {function}();
)sql",
        fmt::arg("shown", table), fmt::arg("word", word), fmt::arg("columns", columns),
        fmt::arg("table", postgres_table_name(table)), fmt::arg("key", postgres_identifier(key)),
        fmt::arg("waiting", named("_waiting")), fmt::arg("running", named("_running")),
        fmt::arg("ring", named("_ring")),
        fmt::arg("function", postgres_table_name(table + "_ring")),
        fmt::arg("channel", postgres_identifier(word)));
}

}  // namespace musher::postgres_queue
