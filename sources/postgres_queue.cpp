#include "sources/postgres_queue.h"

#include <fmt/format.h>

#include "reactor/base/log.h"
#include "reactor/base/uuid.h"
#include "reactor/drivers/postgres_json.h"

namespace musher::postgres_queue {

namespace {
using std::chrono::seconds;

Holder holder_of(const Rules& rules, const SourceContext& context) {
    Holder holder;
    holder.node = context.node;
    holder.pipeline = context.pipeline;
    holder.id = uuid_of(to_line(
        Json{"postgres_queue", context.node, context.pipeline, rules.connection, rules.table}));
    return holder;
}
}  // namespace

/// Tells the source what became of the event that it sent.
struct PostgresQueue::Sent final : Ticket {
    Sent(PostgresQueue& queue, Event sent) : owner(queue), event(std::move(sent)) {}
    void accepted(Admission admission) override {
        owner.under_way_.erase(event.id);
        owner.refusals_.reset();
        // Nobody will settle it. kill -9 here: it is sent again, and is needless again.
        if (admission != Admission::stored) {
            const auto row = name_of(owner.table_.rules(), event.facts->at("row"));
            if (row) owner.needless_.push_back(RowEnd{*row, RowEnd::Kind::done, {}});
        }
        owner.bell_.ring();
    }
    void rejected(const Error&) override {
        const Instant now = owner.context_.loop.clock().now();
        if (now >= owner.rest_until_) owner.rest_until_ = now + owner.refusals_.next();
        owner.again_.push_front(std::move(event));
        owner.bell_.ring();
    }
    PostgresQueue& owner;
    Event event;
};

PostgresQueue::PostgresQueue(const Rules& rules, PostgresTarget target,
                             const SourceContext& context)
    : context_(context),
      table_(context.loop, std::move(target), rules, holder_of(rules, context)),
      bell_(context.loop.ready()),
      refusals_(milliseconds(500), seconds(30)) {}

Task<Result<void>> PostgresQueue::run(Cancel& stop) {
    Backoff backoff(seconds(1), seconds(30));
    while (!stop.requested()) {
        const Result<void> ended = co_await session(stop);
        if (stop.requested()) break;
        if (std::exchange(connected_, false)) backoff.reset();
        set_trouble(trouble_, ended);
        const Result<void> slept = co_await context_.loop.timers().sleep(backoff.next(), stop);
        static_cast<void>(slept);
    }
    co_return fail(stop.error());
}

/// The life of one connection, which hears the doorbell and claims.
Task<Result<void>> PostgresQueue::session(Cancel& stop) {
    MUSHER_CO_TRY(const std::unique_ptr<PostgresLink> link,
                  co_await PostgresLink::dial(context_.loop, table_.target(), stop));
    Cancel over(stop);
    // Listens first, then looks: what came while nobody listened is found.
    const std::string& channel = table_.rules().channel;
    if (!channel.empty()) MUSHER_CO_DO(co_await link->listen(channel, over));
    // Alive before it holds anything: nobody may take for an orphan what it claims.
    const Result<void> beaten = co_await table_.beat(over);
    if (!beaten) co_return failed(beaten.error());
    recheck();
    Scope scope("postgres_queue", context_.loop.ready(), context_.loop.clock());
    scope.spawn("hear", hear(*link, over));
    scope.spawn("beat", keep_beating(over));
    Result<void> ended = co_await work(*link, over);
    over.request();
    co_await scope.join();
    co_return ended;
}

Task<void> PostgresQueue::hear(PostgresLink& link, Cancel& over) {
    const bool listens = !table_.rules().channel.empty();
    while (!over.requested() && !link.broken()) {
        if (listens) {
            const auto heard = co_await link.notifications(over);
        } else {
            const Result<void> ended = co_await link.ended(over);
        }
        bell_.ring();
    }
}

Task<void> PostgresQueue::keep_beating(Cancel& over) {
    if (table_.rules().columns.reactor.empty()) co_return;
    for (;;) {
        const Result<void> slept =
            co_await context_.loop.timers().sleep(table_.rules().lease / 3, over);
        if (!slept) co_return;
        const Result<void> beaten = co_await table_.beat(over);
        if (over.requested()) co_return;
        set_trouble(beat_trouble_, beaten);
    }
}

Task<Result<void>> PostgresQueue::work(PostgresLink& link, Cancel& over) {
    for (;;) {
        if (over.requested()) co_return fail(over.error());
        if (link.broken()) co_return fail(link.why());
        const Result<bool> turned = co_await turn(link, over);
        if (!turned) co_return failed(turned.error());
        connected_ = true;
        set_trouble(trouble_, {});
        if (!*turned) co_await rest(over);
    }
}

/// The server refused a statement: the table may not be what it was.
Result<void> PostgresQueue::failed(Error error) {
    if (error.code != Errc::unavailable) table_.forget();
    return fail(std::move(error));
}

bool PostgresQueue::resting() const { return paused_ || context_.loop.clock().now() < rest_until_; }

/// Whether there may be more to do at once.
Task<Result<bool>> PostgresQueue::turn(PostgresLink& link, Cancel& over) {
    MUSHER_CO_DO(co_await end_needless(over));
    if (resting()) co_return false;
    send_waiting();
    if (!again_.empty()) co_return false;  // an answer makes room, and rings
    if (looking_) {
        MUSHER_CO_DO(co_await look_at_held(link, over));
        co_return true;
    }
    if (context_.out.room() == 0) co_return false;
    if (context_.loop.clock().now() >= adopt_at_) {
        MUSHER_CO_DO(co_await adopt(link, over));
        co_return true;
    }
    co_return co_await claim(link, over);
}

/// Until the bell rings, and for `poll` at most, a quarter more or less: reactors spread out.
Task<void> PostgresQueue::rest(Cancel& over) {
    const Duration poll = table_.rules().poll;
    std::uniform_int_distribution<Duration::rep> spread(poll.count() * 3 / 4, poll.count() * 5 / 4);
    Duration span(spread(random_));
    const Instant now = context_.loop.clock().now();
    if (rest_until_ > now) span = std::min(span, Duration(rest_until_ - now));
    Cancel enough(over);
    const Deadline limit(context_.loop.timers(), enough, std::max(span, Duration(1)));
    const Result<void> rung = co_await bell_.wait(enough);
    static_cast<void>(rung);  // rung, due or over: the caller looks either way
}

Task<Result<bool>> PostgresQueue::claim(PostgresLink& link, Cancel& over) {
    MUSHER_CO_TRY(const std::shared_ptr<const TableSql> sql, co_await table_.sql(over));
    const std::size_t most = std::min(table_.rules().batch, context_.out.room());
    const std::string token = new_uuid7(context_.loop.clock().wall_ms());
    // kill -9 from here on: the rows say who holds them.
    MUSHER_CO_TRY(const PostgresResult rows,
                  co_await JobTable::ask(context_.loop, link, sql->claim(most, token), over));
    std::vector<Event> events = events_of(rows);
    const bool more = events.size() == most;
    if (table_.rules().columns.token.empty()) {
        // Of a row without a claim's name the queue may know the end already.
        MUSHER_CO_DO(co_await sort_out(std::move(events), false, over));
    } else {
        send_back(std::move(events));
    }
    send_waiting();
    co_return more;
}

std::vector<Event> PostgresQueue::events_of(const PostgresResult& rows) const {
    std::string list =
        to_line(Json{"postgres_queue", table_.holder().pipeline, table_.rules().table});
    list.back() = ',';
    std::vector<Event> events;
    for (int i = 0; i < rows.rows(); ++i) {
        Json row = postgres_row(rows, i);
        row.erase(TableSql::kPlace);
        const std::optional<RowName> name = name_of(table_.rules(), row);
        if (!name) continue;  // no key: nothing can be done about it
        Event event;
        std::string named = list;
        append_quoted(named, name->id);
        named += ',';
        append_quoted(named, name->token.value_or(""));
        named += ']';
        event.id = uuid_of(named);
        event.kind = "postgres_queue";
        event.facts.edit()["row"] = std::move(row);
        events.push_back(std::move(event));
    }
    return events;
}

void PostgresQueue::send_back(std::vector<Event> events) {
    for (Event& event : events) {
        if (under_way_.insert(event.id).second) again_.push_back(std::move(event));
    }
}

void PostgresQueue::send_waiting() {
    while (!again_.empty() && !resting() && context_.out.room() > 0) {
        Event event = std::move(again_.front());
        again_.pop_front();
        send(std::move(event));
    }
}

void PostgresQueue::send(Event event) {
    Delivery delivery;
    delivery.event = event;
    delivery.ticket = std::make_unique<Sent>(*this, std::move(event));
    if (context_.out.try_send(std::move(delivery))) return;
    // Closed, and untouched: musher stops. NOLINTNEXTLINE(bugprone-use-after-move)
    delivery.ticket->rejected(Error(Errc::cancelled, "stopping"));
}

void PostgresQueue::pause(PauseReason why) {
    paused_ = why;
    bell_.ring();
}

void PostgresQueue::resume() {
    paused_.reset();
    bell_.ring();
}

/// All that we hold is held against the queue.
void PostgresQueue::recheck() {
    looking_ = true;
    ++looks_;
    looked_.reset();
    bell_.ring();
}

}  // namespace musher::postgres_queue
