#include "sources/postgres_notify.h"

#include "reactor/base/log.h"

namespace musher::postgres_notify {

namespace {
using std::chrono::seconds;

/// Read and not yet sent: enough for a turn of the loop, few enough for its 5 ms.
constexpr std::size_t kWindow = 32;
/// An idle connection is tried at these moments, which are the same for all sources: an idle
/// process wakes up once for all of them.
constexpr Duration kBeat = seconds(30);
constexpr Duration kPatience = seconds(10);
constexpr Duration kRefusedPause = seconds(1);
constexpr milliseconds kBackoff{100};
constexpr seconds kBackoffCap{15};

std::string joined(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
    return text;
}
}  // namespace

/// Tells the source what became of the event that it sent. What was refused keeps its turn.
struct PostgresNotify::Sent final : Ticket {
    Sent(PostgresNotify& source, std::uint64_t place, std::shared_ptr<const Arrival> sent)
        : owner(source), turn(place), arrival(std::move(sent)) {}
    void accepted(Admission) override {}
    void rejected(const Error&) override {
        owner.waiting_.emplace(turn, arrival);
        owner.refused_ = true;
        owner.load_.ring();
    }
    PostgresNotify& owner;
    const std::uint64_t turn;
    const std::shared_ptr<const Arrival> arrival;
};

PostgresNotify::PostgresNotify(Rules rules, const SourceContext& context)
    : rules_(std::move(rules)),
      context_(context),
      bell_(context.loop.ready()),
      load_(context.loop.ready()) {}

Task<Result<void>> PostgresNotify::run(Cancel& stop) {
    Scope carrier("carrier", context_.loop.ready(), context_.loop.clock(), &context_.loop.root());
    carrier.spawn(context_.pipeline, carry(stop));
    Backoff backoff(kBackoff, kBackoffCap);
    while (!stop.requested()) {
        if (paused_ == PauseReason::ordered) {
            const Result<void> rung = co_await bell_.wait(stop);
            static_cast<void>(rung);
            continue;
        }
        Cancel over(stop);
        session_ = &over;
        const Result<void> ended = co_await session(backoff, over);
        session_ = nullptr;
        listening_ = catching_up_ = false;
        if (over.requested()) continue;  // on purpose
        set_trouble(ended.error());
        const Result<void> slept = co_await context_.loop.timers().sleep(backoff.next(), stop);
        static_cast<void>(slept);
    }
    co_await carrier.join();
    co_return fail(stop.error());
}

/// One connection, until it ends.
Task<Result<void>> PostgresNotify::session(Backoff& backoff, Cancel& over) {
    MUSHER_CO_TRY(const Link link, co_await connect(over));
    Cancel done(over);
    Scope guards("guard", context_.loop.ready(), context_.loop.clock(), &context_.loop.root());
    catching_up_ = !rules_.catch_up.empty();
    guards.spawn(link->server(), guard(*link, done));
    Result<void> ended;
    if (catching_up_) ended = co_await catch_up(over);
    if (ended) {
        catching_up_ = false;
        listening_ = true;
        backoff.reset();
        trouble_.clear();
        ended = co_await hear(*link, over);
    }
    done.request();
    co_await guards.join();
    // Read already: it goes on at the next session. With a requested Cancel this does not wait.
    Result<Heard> rest = co_await link->notifications(done);
    if (rest) keep(std::move(*rest));
    co_return ended;
}

Task<Result<PostgresNotify::Link>> PostgresNotify::connect(Cancel& over) {
    MUSHER_CO_TRY(Link link, co_await PostgresLink::dial(context_.loop, rules_.target, over));
    for (const std::string& channel : rules_.channels) {
        Result<void> listening = co_await link->listen(channel, over);
        if (listening) continue;
        Error error = listening.error();
        co_return fail(std::move(error).within("LISTEN " + channel).within(link->server()));
    }
    co_return link;
}

Task<Result<void>> PostgresNotify::hear(PostgresLink& link, Cancel& over) {
    for (;;) {
        while (!heard_.empty()) {
            const std::int64_t now_ms = context_.loop.clock().wall_ms();
            Arrival arrival = rules_.reading.notification(heard_.front(), now_ms);
            MUSHER_CO_DO(co_await add(std::move(arrival), over));
            heard_.pop_front();
        }
        MUSHER_CO_TRY(Heard some, co_await link.notifications(over));
        keep(std::move(some));
    }
}

void PostgresNotify::keep(Heard some) {
    notifications_ += some.size();
    std::move(some.begin(), some.end(), std::back_inserter(heard_));
}

Task<Result<void>> PostgresNotify::add(Arrival arrival, Cancel& over) {
    while (waiting_.size() >= kWindow) MUSHER_CO_DO(co_await bell_.wait(over));
    if (arrival.fault) ++corrupt_;
    waiting_.emplace(turns_++, std::make_shared<const Arrival>(std::move(arrival)));
    load_.ring();
    co_return Result<void>();
}

/// No event tells of a machine that is gone. Only while nothing is on its way: to read on is proof
/// enough, and an answer would have to wait behind all that nobody takes.
Task<void> PostgresNotify::guard(PostgresLink& link, Cancel& over) {
    for (;;) {
        const Duration since = context_.loop.clock().now().time_since_epoch() % kBeat;
        const Result<void> slept = co_await context_.loop.timers().sleep(kBeat - since, over);
        if (!slept) co_return;
        if (catching_up_ || !heard_.empty() || !waiting_.empty()) continue;
        Cancel patience(over);
        const Deadline deadline(context_.loop.timers(), patience, kPatience);
        const PostgresStatement ask("SELECT 1");
        const Result<PostgresResult> answered = co_await link.query(ask, patience);
        if (answered || over.requested() || link.broken()) continue;
        link.drop(Error(Errc::unavailable, link.server() + " does not answer any more"));
    }
}

/// Sends what waits, in its order.
Task<void> PostgresNotify::carry(Cancel& stop) {
    while (!stop.requested()) {
        if (waiting_.empty() || paused_) {
            const Result<void> rung = co_await load_.wait(stop);
            static_cast<void>(rung);
        } else if (std::exchange(refused_, false)) {
            const Result<void> slept = co_await context_.loop.timers().sleep(kRefusedPause, stop);
            static_cast<void>(slept);
        } else if (!co_await carry_one(stop)) {
            co_return;
        }
    }
}

/// False: nobody takes any more.
Task<bool> PostgresNotify::carry_one(Cancel& stop) {
    const std::uint64_t turn = waiting_.begin()->first;
    const std::shared_ptr<const Arrival> arrival = waiting_.begin()->second;
    waiting_.erase(waiting_.begin());
    Delivery delivery;
    delivery.event = arrival->event;
    delivery.fault = arrival->fault;
    delivery.ticket = std::make_unique<Sent>(*this, turn, arrival);
    Cancel sending(stop);
    sending_ = &sending;
    const Result<void> sent = co_await context_.out.send(std::move(delivery), sending);
    sending_ = nullptr;
    if (!sent) waiting_.emplace(turn, arrival);
    bell_.ring();
    co_return sent || sending.requested();
}

/// By hand: nothing may come, and maybe for days, for which the server would have to keep all that
/// is sent. For a full queue it shall.
void PostgresNotify::pause(PauseReason why) {
    paused_ = why;
    if (sending_) sending_->request();
    if (session_ && why == PauseReason::ordered) session_->request();
    bell_.ring();
}

void PostgresNotify::resume() {
    paused_.reset();
    bell_.ring();
    load_.ring();
}

/// A new session catches up again.
void PostgresNotify::recheck() {
    if (session_ && !rules_.catch_up.empty()) session_->request();
}

/// Nothing outside tells of an event.
Task<Result<void>> PostgresNotify::settle(std::vector<Settlement>& ended, Cancel&) {
    ended.clear();
    co_return Result<void>();
}

void PostgresNotify::set_trouble(const Error& trouble) {
    const std::string text = trouble.text() + (trouble.hint.empty() ? "" : "; " + trouble.hint);
    if (text != trouble_) {
        log::warning("postgres_notify.trouble",
                     Json{{"pipeline", context_.pipeline}, {"reason", text}});
    }
    trouble_ = text;
}

Json PostgresNotify::status() const {
    const bool paused = paused_ == PauseReason::ordered;
    const bool connected = listening_ || catching_up_;
    std::string detail = "connecting to " + rules_.target.name();
    if (catching_up_) detail = "catching up";
    if (listening_) detail = "listening to " + joined(rules_.channels);
    if (!trouble_.empty()) detail = trouble_;
    if (paused) detail = "paused";
    return Json{{"ok", paused || (connected && trouble_.empty())},
                {"detail", detail},
                {"channels", rules_.channels},
                {"notifications", notifications_},
                {"rows", rows_},
                {"corrupt", corrupt_}};
}

}  // namespace musher::postgres_notify
