#include "sources/postgres_queue_sql.h"

#include <fmt/format.h>

#include <array>

namespace musher::postgres_queue {

namespace {
std::string quoted(const std::string& column) { return postgres_identifier(column); }
std::string of_row(const std::string& column) { return "t." + postgres_identifier(column); }

/// "a = 1, b = 2" of what a table has columns for.
class Changes {
  public:
    void set(const std::string& column, const std::string& value) {
        if (column.empty()) return;
        if (!text_.empty()) text_ += ", ";
        text_ += quoted(column) + " = " + value;
    }
    const std::string& text() const { return text_; }

  private:
    std::string text_;
};

PostgresParams names_of(const std::vector<RowName>& rows) {
    PostgresParams ids;
    PostgresParams tokens;
    for (const RowName& row : rows) {
        ids.push_back(row.id);
        tokens.push_back(row.token);
    }
    return {postgres_text_array(ids), postgres_text_array(tokens)};
}
}  // namespace

TableSql::TableSql(Rules rules, Holder holder, ColumnTypes types)
    : rules_(std::move(rules)),
      holder_(std::move(holder)),
      types_(std::move(types)),
      table_(postgres_table_name(rules_.table)) {}

std::string TableSql::cast(const std::string& value, const std::string& column) const {
    return fmt::format("({})::{}", value, types_.at(column));
}

/// Holds rows of `e(id, token, …)` against t: the claim must be the same and not over.
std::string TableSql::same_row() const {
    const Columns& columns = rules_.columns;
    std::string text = fmt::format("{} = {}", of_row(columns.id), cast("e.id", columns.id));
    if (columns.token.empty()) return text;
    return text +
           fmt::format(" AND {} = {}", of_row(columns.token), cast("e.token", columns.token));
}

std::string TableSql::order() const {
    if (!rules_.order.empty()) return rules_.order;
    const Columns& columns = rules_.columns;
    std::string text;
    for (const std::string* column : {&columns.priority, &columns.created, &columns.id}) {
        if (column->empty()) continue;
        if (!text.empty()) text += ", ";
        text += quoted(*column);
    }
    return text;
}

// Statuses and the number stand in the text: a plan that is kept knows them then.
// The picked rows stand in a materialised CTE: PostgreSQL may run a plain subquery again for every
// row that it joins, and then claims more than it was asked for.
PostgresStatement TableSql::claim(std::size_t most, const std::string& token) const {
    const Columns& columns = rules_.columns;
    PostgresParams params;
    Changes changes;
    changes.set(columns.status, cast(postgres_literal(rules_.statuses.running), columns.status));
    if (!columns.token.empty()) {
        params.emplace_back(token);
        changes.set(columns.token, cast(fmt::format("${}", params.size()), columns.token));
    }
    if (!columns.reactor.empty()) {
        params.emplace_back(holder_.id);
        changes.set(columns.reactor, cast(fmt::format("${}", params.size()), columns.reactor));
    }
    if (!columns.tries.empty()) {
        changes.set(columns.tries, fmt::format("COALESCE({}, 0) + 1", of_row(columns.tries)));
    }
    changes.set(columns.started, "now()");
    changes.set(columns.updated, "now()");
    // The operator's SQL ends its line: it may end with a comment.
    const std::string where =
        rules_.where.empty() ? "" : fmt::format(" AND (\n{}\n)", rules_.where);
    std::string sql = fmt::format(
        "WITH picked AS MATERIALIZED (SELECT {id} AS musher_key FROM {table} WHERE {status} = "
        "{waiting}{where} ORDER BY {order}\nLIMIT {most} FOR UPDATE SKIP LOCKED), "
        "placed AS (SELECT musher_key, row_number() OVER () AS {place} FROM picked), "
        "claimed AS (UPDATE {table} AS t SET {changes} FROM placed WHERE {row} = musher_key "
        "RETURNING {place}, t.*) SELECT * FROM claimed ORDER BY {place}",
        fmt::arg("id", quoted(columns.id)), fmt::arg("table", table_),
        fmt::arg("status", quoted(columns.status)),
        fmt::arg("waiting", cast(postgres_literal(rules_.statuses.waiting), columns.status)),
        fmt::arg("where", where), fmt::arg("order", order()), fmt::arg("most", most),
        fmt::arg("place", kPlace), fmt::arg("changes", changes.text()),
        fmt::arg("row", of_row(columns.id)));
    PostgresStatement statement(std::move(sql), std::move(params));
    statement.kept = most == rules_.batch;
    return statement;
}

PostgresStatement TableSql::held(const PostgresParam& after, std::size_t most) const {
    const Columns& columns = rules_.columns;
    PostgresParams params{rules_.statuses.running, std::to_string(most)};
    std::string sql = fmt::format("SELECT t.* FROM {} AS t WHERE {} = {}", table_,
                                  of_row(columns.status), cast("$1", columns.status));
    if (!columns.reactor.empty()) {
        params.emplace_back(holder_.id);
        sql += fmt::format(" AND {} = {}", of_row(columns.reactor),
                           cast(fmt::format("${}", params.size()), columns.reactor));
    }
    if (after) {
        params.push_back(after);
        sql += fmt::format(" AND {} > {}", of_row(columns.id),
                           cast(fmt::format("${}", params.size()), columns.id));
    }
    sql += fmt::format(" ORDER BY {} LIMIT $2::bigint", of_row(columns.id));
    return PostgresStatement(std::move(sql), std::move(params));
}

PostgresStatement TableSql::adopt(std::size_t most) const {
    const Columns& columns = rules_.columns;
    PostgresParams params{rules_.statuses.running, holder_.id, holder_.pipeline,
                          std::to_string(rules_.lease / milliseconds(1)), std::to_string(most)};
    Changes changes;
    changes.set(columns.reactor, cast("$2", columns.reactor));
    changes.set(columns.updated, "now()");
    std::string sql = fmt::format(
        "WITH lost AS MATERIALIZED (SELECT {id} AS musher_key FROM {table} AS t WHERE "
        "{status} = {running} AND {reactor} <> {self} AND NOT EXISTS (SELECT FROM {reactors} AS r "
        "WHERE r.id = {reactor}::text AND (r.pipeline <> $3::text OR r.beat_at > now() - "
        "$4::bigint * interval '1 millisecond')) LIMIT $5::bigint FOR UPDATE OF t SKIP LOCKED) "
        "UPDATE {table} AS t SET {changes} FROM lost WHERE {id} = musher_key RETURNING t.*",
        fmt::arg("id", of_row(columns.id)), fmt::arg("table", table_),
        fmt::arg("status", of_row(columns.status)), fmt::arg("running", cast("$1", columns.status)),
        fmt::arg("reactor", of_row(columns.reactor)), fmt::arg("self", cast("$2", columns.reactor)),
        fmt::arg("reactors", postgres_table_name(rules_.reactors)),
        fmt::arg("changes", changes.text()));
    return PostgresStatement(std::move(sql), std::move(params));
}

PostgresStatement TableSql::count_try(const std::vector<RowName>& rows) const {
    const Columns& columns = rules_.columns;
    PostgresParams params = names_of(rows);
    params.emplace_back(rules_.statuses.running);
    std::string sql = fmt::format(
        "UPDATE {table} AS t SET {tries} = COALESCE({row_tries}, 0) + 1 FROM "
        "unnest($1::text[], $2::text[]) AS e(id, token) WHERE {same} AND {status} = {running}",
        fmt::arg("table", table_), fmt::arg("tries", quoted(columns.tries)),
        fmt::arg("row_tries", of_row(columns.tries)), fmt::arg("same", same_row()),
        fmt::arg("status", of_row(columns.status)),
        fmt::arg("running", cast("$3", columns.status)));
    return PostgresStatement(std::move(sql), std::move(params));
}

// One row stands by itself: of lists PostgreSQL keeps no plan, since it does not know how long they
// are.
PostgresStatement TableSql::settle(const std::vector<RowEnd>& ends) const {
    const Columns& columns = rules_.columns;
    const bool one = ends.size() == 1;
    std::string sql = fmt::format(
        "UPDATE {table} AS t SET {changes} FROM {ends} AS e(id, token, status, error, back) WHERE "
        "{same} AND {status} = {running} RETURNING {id}::text",
        fmt::arg("table", table_), fmt::arg("changes", end_changes()),
        fmt::arg("ends", one ? "(VALUES ($1::text, $2::text, $3::text, $4::text, $5::boolean))"
                             : "unnest($1::text[], $2::text[], $3::text[], $4::text[], "
                               "$5::boolean[])"),
        fmt::arg("same", same_row()), fmt::arg("status", of_row(columns.status)),
        fmt::arg("running", cast(postgres_literal(rules_.statuses.running), columns.status)),
        fmt::arg("id", of_row(columns.id)));
    const Statuses& statuses = rules_.statuses;
    std::array<PostgresParams, 5> lists;
    for (const RowEnd& end : ends) {
        const bool failed = end.kind == RowEnd::Kind::failed;
        const bool waits = end.kind == RowEnd::Kind::waiting;
        lists[0].emplace_back(end.row.id);
        lists[1].push_back(end.row.token);
        lists[2].emplace_back(failed ? statuses.failed : waits ? statuses.waiting : statuses.done);
        lists[3].push_back(failed ? PostgresParam(end.error) : std::nullopt);
        lists[4].emplace_back(waits ? "t" : "f");
    }
    PostgresParams params;
    for (const PostgresParams& list : lists) {
        params.push_back(one ? list.front() : PostgresParam(postgres_text_array(list)));
    }
    PostgresStatement statement(std::move(sql), std::move(params));
    statement.kept = true;
    return statement;
}

/// A row that goes back is as if it had not been claimed.
std::string TableSql::end_changes() const {
    const Columns& columns = rules_.columns;
    Changes changes;
    const auto set = [&](const std::string& column, const std::string& ended,
                         const std::string& back) {
        if (column.empty()) return;
        changes.set(column, fmt::format("CASE WHEN e.back THEN {} ELSE {} END", back, ended));
    };
    changes.set(columns.status, cast("e.status", columns.status));
    if (!columns.error.empty()) {
        const std::string old = of_row(columns.error);
        const bool list = types_.at(columns.error).ends_with("[]");
        set(columns.error,
            list ? fmt::format("array_append({}, e.error)", old) : cast("e.error", columns.error),
            old);
    }
    const std::string tries = of_row(columns.tries);
    set(columns.tries, tries, fmt::format("GREATEST({} - 1, 0)", tries));
    set(columns.finished, "now()", of_row(columns.finished));
    changes.set(columns.updated, "now()");
    return changes.text();
}

PostgresStatement TableSql::look(const std::vector<RowName>& rows) const {
    const Columns& columns = rules_.columns;
    PostgresParams ids;
    for (const RowName& row : rows) ids.emplace_back(row.id);
    const std::string token = columns.token.empty() ? "NULL" : of_row(columns.token) + "::text";
    std::string sql = fmt::format(
        "SELECT {0}::text, {1}, {2}::text FROM {3} AS t WHERE {0} IN (SELECT {4} FROM "
        "unnest($1::text[]) AS e(id))",
        of_row(columns.id), token, of_row(columns.status), table_, cast("e.id", columns.id));
    return PostgresStatement(std::move(sql), {postgres_text_array(ids)});
}

PostgresStatement TableSql::recall(const RowName& row) const {
    const Columns& columns = rules_.columns;
    PostgresParams params = names_of({row});
    params.emplace_back(rules_.statuses.running);
    params.emplace_back(rules_.statuses.failed);
    Changes changes;
    changes.set(columns.status, cast("$3", columns.status));
    if (!columns.reactor.empty()) {
        params.emplace_back(holder_.id);
        changes.set(columns.reactor, cast("$5", columns.reactor));
    }
    changes.set(columns.updated, "now()");
    std::string sql = fmt::format(
        "UPDATE {table} AS t SET {changes} FROM unnest($1::text[], $2::text[]) AS e(id, token) "
        "WHERE {same} AND {status} IN ({running}, {failed}) RETURNING {id}::text",
        fmt::arg("table", table_), fmt::arg("changes", changes.text()),
        fmt::arg("same", same_row()), fmt::arg("status", of_row(columns.status)),
        fmt::arg("running", cast("$3", columns.status)),
        fmt::arg("failed", cast("$4", columns.status)), fmt::arg("id", of_row(columns.id)));
    return PostgresStatement(std::move(sql), std::move(params));
}

PostgresStatement TableSql::beat() const {
    std::string sql = fmt::format(
        "INSERT INTO {} AS r (id, node, pipeline, beat_at) VALUES ($1, $2, $3, now()) ON CONFLICT "
        "(id) DO UPDATE SET beat_at = now()",
        postgres_table_name(rules_.reactors));
    return PostgresStatement(std::move(sql), {holder_.id, holder_.node, holder_.pipeline});
}

PostgresStatement columns_of(const Rules& rules) {
    return PostgresStatement(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = "
        "$1::text::regclass AND attnum > 0 AND NOT attisdropped",
        {postgres_table_name(rules.table)});
}

}  // namespace musher::postgres_queue
