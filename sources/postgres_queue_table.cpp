#include "sources/postgres_queue_table.h"

#include <fmt/format.h>

#include <set>

#include "reactor/base/log.h"
#include "reactor/drivers/postgres_json.h"

namespace musher::postgres_queue {

namespace {
constexpr Duration kPatience = std::chrono::seconds(30);
}

std::optional<RowName> name_of(const Rules& rules, const Json& row) {
    const auto id = row.find(rules.columns.id);
    if (id == row.end() || id->is_null()) return std::nullopt;
    RowName name;
    name.id = postgres_param(*id).value_or("");
    if (rules.columns.token.empty()) return name;
    const auto token = row.find(rules.columns.token);
    if (token != row.end()) name.token = postgres_param(*token);
    return name;
}

Result<ColumnTypes> read_types(const Rules& rules, const PostgresResult& columns) {
    ColumnTypes types;
    for (int row = 0; row < columns.rows(); ++row) {
        types.emplace(*columns.text(row, 0), *columns.text(row, 1));
    }
    for (const Role& role : roles()) {
        const std::string& column = rules.columns.*role.column;
        if (column.empty() || types.contains(column)) continue;
        if (rules.own_names) {
            return fail(Errc::not_found,
                        fmt::format("the table {} has no column {}, which `columns.{}` names",
                                    rules.table, column, role.option),
                        "names are taken as they are, capitals too");
        }
        return fail(Errc::not_found,
                    fmt::format("the `table` {} has no column {}", rules.table, column),
                    "name those that it has under `columns`, or see musher describe source "
                    "postgres_queue --sql TABLE");
    }
    return types;
}

JobTable::JobTable(Loop& loop, PostgresTarget target, Rules rules, Holder holder)
    : loop_(loop),
      target_(std::move(target)),
      rules_(std::move(rules)),
      holder_(std::move(holder)),
      work_(loop.ready()),
      beats_(loop.ready()) {}

Task<Result<PostgresResult>> JobTable::ask(Loop& loop, PostgresLink& link,
                                           PostgresStatement statement, Cancel& cancel) {
    Cancel enough(cancel);
    const Deadline limit(loop.timers(), enough, kPatience);
    co_return co_await link.query(std::move(statement), enough);
}

Task<Result<PostgresResult>> JobTable::ask(Seat& seat, PostgresStatement statement,
                                           Cancel& cancel) {
    MUSHER_CO_TRY(const Semaphore::Permit turn, co_await seat.turn.acquire(cancel));
    if (!seat.link || seat.link->broken()) {
        seat.link.reset();
        MUSHER_CO_TRY(seat.link, co_await PostgresLink::dial(loop_, target_, cancel));
    }
    co_return co_await ask(loop_, *seat.link, std::move(statement), cancel);
}

Task<Result<PostgresResult>> JobTable::ask(PostgresStatement statement, Cancel& cancel) {
    co_return co_await ask(work_, std::move(statement), cancel);
}

Task<Result<std::shared_ptr<const TableSql>>> JobTable::sql(Cancel& cancel) {
    if (sql_) co_return sql_;
    MUSHER_CO_TRY(const PostgresResult columns, co_await ask(columns_of(rules_), cancel));
    MUSHER_CO_TRY(ColumnTypes types, read_types(rules_, columns));
    sql_ = std::make_shared<const TableSql>(rules_, holder_, std::move(types));
    co_return sql_;
}

Task<Result<void>> JobTable::settle(std::vector<RowEnd> ends, Cancel& cancel) {
    if (ends.empty()) co_return Result<void>();
    MUSHER_CO_TRY(const std::shared_ptr<const TableSql> sql, co_await this->sql(cancel));
    const Result<PostgresResult> done = co_await ask(sql->settle(ends), cancel);
    if (!done) {
        if (done.error().code != Errc::unavailable) forget();
        co_return fail(done.error());
    }
    std::set<std::string, std::less<>> settled;
    for (int row = 0; row < done->rows(); ++row) settled.emplace(*done->text(row, 0));
    std::erase_if(ends, [&](const RowEnd& end) { return settled.contains(end.row.id); });
    if (ends.empty()) co_return Result<void>();
    co_return co_await tell_strays(sql, std::move(ends), cancel);
}

/// What was settled before is fine.
Task<Result<void>> JobTable::tell_strays(std::shared_ptr<const TableSql> sql,
                                         std::vector<RowEnd> left, Cancel& cancel) {
    std::vector<RowName> names;
    for (const RowEnd& end : left) names.push_back(end.row);
    MUSHER_CO_TRY(const PostgresResult found, co_await ask(sql->look(names), cancel));
    std::map<std::string, int, std::less<>> places;
    for (int row = 0; row < found.rows(); ++row) places.emplace(*found.text(row, 0), row);
    for (const RowEnd& end : left) {
        const auto place = places.find(end.row.id);
        const bool gone = place == places.end();
        const auto token = gone ? std::nullopt : found.text(place->second, 1);
        if (!gone && (!end.row.token || token == end.row.token)) continue;
        log::warning("postgres_queue.not_ours",
                     Json{{"pipeline", holder_.pipeline},
                          {"table", rules_.table},
                          {"row", end.row.id},
                          {"reason", gone ? "the row is gone" : "it was claimed anew"}});
    }
    co_return Result<void>();
}

Task<Result<void>> JobTable::recall(RowName row, Cancel& cancel) {
    MUSHER_CO_TRY(const std::shared_ptr<const TableSql> sql, co_await this->sql(cancel));
    MUSHER_CO_TRY(const PostgresResult done, co_await ask(sql->recall(row), cancel));
    if (done.rows() > 0) co_return Result<void>();
    co_return fail(Errc::not_found,
                   fmt::format("row {} of {} has not failed in this claim", row.id, rules_.table),
                   "it was given out anew, or is gone");
}

Task<Result<void>> JobTable::beat(Cancel& cancel) {
    if (rules_.columns.reactor.empty()) co_return Result<void>();
    MUSHER_CO_TRY(const std::shared_ptr<const TableSql> sql, co_await this->sql(cancel));
    MUSHER_CO_DO(co_await ask(beats_, sql->beat(), cancel));
    co_return Result<void>();
}

}  // namespace musher::postgres_queue
