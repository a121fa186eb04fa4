// Rows that were claimed before: by this reactor's earlier life, or by one that does not come back.
#include <fmt/format.h>

#include "reactor/base/log.h"
#include "sources/postgres_queue.h"

namespace musher::postgres_queue {

namespace {
constexpr std::size_t kPage = 500;

bool worn_out(const Rules& rules, const Event& event) {
    if (rules.columns.tries.empty()) return false;
    const Json& row = event.facts->at("row");
    const auto tries = row.find(rules.columns.tries);
    return tries != row.end() && tries->is_number_integer() &&
           tries->get<std::int64_t>() >= rules.max_tries;
}

std::optional<RowName> name_in(const Rules& rules, const Event& event) {
    const auto row = event.facts->find("row");
    if (row == event.facts->end() || !row->is_object()) return std::nullopt;
    return name_of(rules, *row);
}
}  // namespace

/// One page of them.
Task<Result<void>> PostgresQueue::look_at_held(PostgresLink& link, Cancel& over) {
    MUSHER_CO_TRY(const std::shared_ptr<const TableSql> sql, co_await table_.sql(over));
    const unsigned look = looks_;
    MUSHER_CO_TRY(const PostgresResult rows,
                  co_await JobTable::ask(context_.loop, link, sql->held(looked_, kPage), over));
    std::vector<Event> held = events_of(rows);
    const bool last = static_cast<std::size_t>(rows.rows()) < kPage;
    PostgresParam to;
    if (!held.empty()) to = name_in(table_.rules(), held.back())->id;
    std::erase_if(held, [this](const Event& event) { return under_way_.contains(event.id); });
    MUSHER_CO_DO(co_await sort_out(std::move(held), false, over));
    if (looks_ != look) co_return Result<void>();  // recheck() came meanwhile
    looked_ = to;
    looking_ = !last;
    co_return Result<void>();
}

Task<Result<void>> PostgresQueue::adopt(PostgresLink& link, Cancel& over) {
    const Rules& rules = table_.rules();
    const Instant now = context_.loop.clock().now();
    if (rules.columns.reactor.empty()) {
        adopt_at_ = Instant::max();
        co_return Result<void>();
    }
    MUSHER_CO_TRY(const std::shared_ptr<const TableSql> sql, co_await table_.sql(over));
    MUSHER_CO_TRY(const PostgresResult rows,
                  co_await JobTable::ask(context_.loop, link, sql->adopt(kPage), over));
    // kill -9 here: they are ours, and found as such at the next start.
    std::vector<Event> orphans = events_of(rows);
    if (!orphans.empty()) {
        log::warning("postgres_queue.adopted", Json{{"pipeline", context_.pipeline},
                                                    {"table", rules.table},
                                                    {"rows", orphans.size()}});
    }
    if (orphans.size() < kPage) {
        std::uniform_int_distribution<Duration::rep> spread(rules.lease.count() / 4,
                                                            rules.lease.count() / 2);
        adopt_at_ = now + Duration(spread(random_));
        // On a shared queue another reactor may have run our jobs, and not lived to tell.
        looking_ = true;
        looked_.reset();
    }
    co_return co_await sort_out(std::move(orphans), true, over);
}

/// Of what the queue does not know the event is made again; of what ended, the end is told.
Task<Result<void>> PostgresQueue::sort_out(std::vector<Event> held, bool adopted, Cancel& over) {
    if (held.empty()) co_return Result<void>();
    std::vector<std::string> ids;
    for (const Event& event : held) ids.push_back(event.id);
    MUSHER_CO_TRY(const std::vector<Presence> known, co_await context_.ledger.find(ids, over));
    std::vector<Event> lost;
    std::vector<Settlement> ended;
    for (std::size_t i = 0; i < held.size(); ++i) {
        if (known[i] == Presence::unknown) lost.push_back(std::move(held[i]));
        if (known[i] == Presence::unknown || known[i] == Presence::live) continue;
        Result<Settlement> end = co_await context_.ledger.settlement(ids[i], over);
        if (end) {
            ended.push_back(std::move(*end));
        } else if (end.error().code != Errc::not_found) {
            co_return fail(end.error());
        }
    }
    if (adopted) {
        MUSHER_CO_TRY(lost, co_await count_tries(std::move(lost), over));
    }
    send_back(std::move(lost));
    co_return co_await settle(ended, over);
}

/// A reactor lost them. Those that are left after the ones are taken out that this happened to too
/// often: they may be what kills reactors.
Task<Result<std::vector<Event>>> PostgresQueue::count_tries(std::vector<Event> lost, Cancel& over) {
    const Rules& rules = table_.rules();
    if (rules.columns.tries.empty() || lost.empty()) co_return lost;
    std::vector<RowEnd> worn;
    std::vector<RowName> names;
    for (const Event& event : lost) {
        const RowName row = *name_in(rules, event);
        if (worn_out(rules, event)) {
            worn.push_back(
                RowEnd{row, RowEnd::Kind::failed,
                       fmt::format("{} reactors took it and did not come back", rules.max_tries)});
        } else {
            names.push_back(row);
        }
    }
    std::erase_if(lost, [&](const Event& event) { return worn_out(rules, event); });
    if (!worn.empty()) MUSHER_CO_DO(co_await table_.settle(std::move(worn), over));
    if (names.empty()) co_return lost;
    MUSHER_CO_TRY(const std::shared_ptr<const TableSql> sql, co_await table_.sql(over));
    PostgresStatement count = sql->count_try(names);
    MUSHER_CO_DO(co_await table_.ask(std::move(count), over));
    co_return lost;
}

Task<Result<void>> PostgresQueue::end_needless(Cancel& over) {
    if (needless_.empty()) co_return Result<void>();
    std::vector<RowEnd> now = std::exchange(needless_, {});
    const Result<void> done = co_await table_.settle(now, over);
    if (!done) needless_.insert(needless_.end(), now.begin(), now.end());
    co_return done;
}

}  // namespace musher::postgres_queue
