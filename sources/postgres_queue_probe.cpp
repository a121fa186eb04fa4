// What `check --live` finds wrong with a job table.
#include <fmt/format.h>

#include "reactor/base/uuid.h"
#include "sources/postgres_queue.h"

namespace musher::postgres_queue {

namespace {
using Problems = std::vector<Problem>;

Problem problem(const char* code, const Error& error) {
    return Problem{{}, Problem::Severity::error, code, error.text(), error.hint};
}

class Probe {
  public:
    Probe(Loop& loop, PostgresLink& link, const Rules& rules, Cancel& cancel)
        : loop_(loop), link_(link), rules_(rules), cancel_(cancel) {}

    Task<void> run();
    Problems problems;

  private:
    Task<Result<PostgresResult>> ask(PostgresStatement statement) {
        co_return co_await JobTable::ask(loop_, link_, std::move(statement), cancel_);
    }
    Task<bool> columns();
    Task<void> statuses();
    Task<void> status(const char* option, std::string value, std::string sql);
    std::string fits(const PostgresResult& checks) const;
    Task<void> rights();
    void blame(const char* code, std::string_view option, Error error) {
        error.message = fmt::format("`{}`: {}", option, error.message);
        problems.push_back(problem(code, error));
    }
    void check_types();

    Loop& loop_;
    PostgresLink& link_;
    const Rules& rules_;
    Cancel& cancel_;
    ColumnTypes types_;
};

Task<void> Probe::run() {
    const bool whole = co_await columns();
    if (!whole) co_return;
    check_types();
    co_await statuses();
    if (problems.empty()) co_await rights();
}

Task<bool> Probe::columns() {
    const Result<PostgresResult> found = co_await ask(columns_of(rules_));
    if (!found) {
        blame("no_table", "table", found.error());
        co_return false;
    }
    // Each that is missing, not only the first.
    Rules one = rules_;
    for (const Role& role : roles()) {
        for (const Role& other : roles()) one.columns.*other.column = "";
        one.columns.*role.column = rules_.columns.*role.column;
        const Result<ColumnTypes> types = read_types(one, *found);
        if (types) {
            types_ = *types;
        } else {
            problems.push_back(problem("no_column", types.error()));
        }
    }
    const bool sound = problems.empty();
    co_return sound;
}

void Probe::check_types() {
    const auto want = [&](const char* option, const std::string& column, const char* what,
                          std::initializer_list<std::string_view> kinds) {
        if (column.empty()) return;
        const std::string& type = types_.at(column);
        for (const std::string_view kind : kinds) {
            if (type.starts_with(kind)) return;
        }
        problems.push_back(problem(
            "bad_column", Error(Errc::usage, fmt::format("`columns.{}`: {} is {}, and {} is wanted",
                                                         option, column, type, what))));
    };
    const Columns& columns = rules_.columns;
    for (const auto& [option, column] :
         {std::pair{"token", &columns.token}, std::pair{"reactor", &columns.reactor}}) {
        want(option, *column, "text or uuid", {"text", "character varying", "uuid"});
    }
    want("error", columns.error, "text, or an array of text", {"text", "character varying"});
    want("tries", columns.tries, "a number", {"smallint", "integer", "bigint", "numeric"});
    for (const auto& [option, column] :
         {std::pair{"started", &columns.started}, std::pair{"updated", &columns.updated},
          std::pair{"finished", &columns.finished}}) {
        want(option, *column, "a timestamp", {"timestamp", "date"});
    }
}

std::string Probe::fits(const PostgresResult& checks) const {
    std::string all = "true";
    for (int row = 0; row < checks.rows(); ++row) {
        all += fmt::format(" AND ({})", *checks.text(row, 1));
    }
    const std::string& column = rules_.columns.status;
    return fmt::format("SELECT {} FROM (SELECT $1::{} AS {}) AS t", all, types_.at(column),
                       postgres_identifier(column));
}

/// As a value of the column, and by the table's own checks of that column.
Task<void> Probe::status(const char* option, std::string value, std::string sql) {
    PostgresStatement statement(std::move(sql));
    statement.params.emplace_back(value);
    const Result<PostgresResult> fit = co_await ask(std::move(statement));
    const std::string path = std::string("statuses.") + option;
    if (!fit) {
        blame("bad_status", path, fit.error());
    } else if (fit->text(0, 0) == "f") {
        Error why(Errc::usage, fmt::format("a check of the table does not let {} be '{}'",
                                           rules_.columns.status, value));
        blame("bad_status", path, std::move(why));
    }
}

Task<void> Probe::statuses() {
    PostgresStatement ask_checks(
        "SELECT conname, pg_get_expr(conbin, conrelid) FROM pg_constraint AS c JOIN pg_attribute "
        "AS a ON a.attrelid = c.conrelid AND c.conkey = ARRAY[a.attnum] WHERE c.contype = 'c' AND "
        "conrelid = $1::text::regclass AND a.attname = $2");
    ask_checks.params.emplace_back(postgres_table_name(rules_.table));
    ask_checks.params.emplace_back(rules_.columns.status);
    const Result<PostgresResult> checks = co_await ask(std::move(ask_checks));
    if (!checks) {
        blame("no_table", "table", checks.error());
        co_return;
    }
    const std::string sql = fits(*checks);
    const Statuses& all = rules_.statuses;
    co_await status("waiting", all.waiting, sql);
    co_await status("running", all.running, sql);
    co_await status("done", all.done, sql);
    co_await status("failed", all.failed, sql);
}

/// Plans what the source does, with its values, and does nothing.
Task<void> Probe::rights() {
    Holder nobody;
    nobody.id = new_uuid7(0);
    const TableSql sql(rules_, std::move(nobody), types_);
    const auto plan = [](PostgresStatement statement) {
        statement.sql = "EXPLAIN " + statement.sql;
        return statement;
    };
    PostgresStatement claim = plan(sql.claim(1, new_uuid7(0)));
    const Result<PostgresResult> claims = co_await ask(std::move(claim));
    if (!claims) {
        const bool denied = claims.error().code == Errc::denied;
        const bool own = !denied && !(rules_.where.empty() && rules_.order.empty());
        blame(denied ? "no_privilege" : "bad_claim",
              denied || !own         ? "table"
              : rules_.where.empty() ? "order"
                                     : "where",
              claims.error());
        co_return;
    }
    if (rules_.columns.reactor.empty()) co_return;
    PostgresStatement adopt = plan(sql.adopt(1));
    PostgresStatement beat = plan(sql.beat());
    Result<PostgresResult> done = co_await ask(std::move(adopt));
    if (done) done = co_await ask(std::move(beat));
    if (done) co_return;
    Error error = done.error();
    if (error.code == Errc::not_found && error.hint.empty()) {
        error.hint = "musher describe source postgres_queue --sql TABLE makes it";
    }
    blame("no_reactors", "reactors", error);
}
}  // namespace

Task<std::vector<Problem>> probe_table(Loop& loop, const PostgresTarget& target, const Rules& rules,
                                       Cancel& cancel) {
    const Result<std::unique_ptr<PostgresLink>> link =
        co_await PostgresLink::dial(loop, target, cancel);
    if (!link) {
        Problems away;
        away.push_back(problem("postgres_away", link.error()));
        co_return away;
    }
    Probe probe(loop, **link, rules, cancel);
    co_await probe.run();
    co_return std::move(probe.problems);
}

Task<std::vector<Problem>> PostgresQueue::probe(Cancel& cancel) {
    co_return co_await probe_table(context_.loop, table_.target(), table_.rules(), cancel);
}

}  // namespace musher::postgres_queue
