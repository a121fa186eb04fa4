#include "sources/timer.h"

#include <fmt/format.h>

#include "reactor/base/backoff.h"
#include "reactor/base/log.h"
#include "reactor/base/uuid.h"
#include "reactor/loop/offload.h"

namespace musher::timer {

namespace {
using std::chrono::minutes;
using std::chrono::seconds;

/// The wall clock may be set while we sleep on the monotonic one: how long that can go unseen.
/// All timers look at the same moments, which are also moments of a hot folder's guard.
constexpr Duration kLook = seconds(10);
constexpr std::int64_t kSlackMs = 60'000;  // less is neither late nor a clock that was set back
/// What a Redis forgets at a crash was stored shortly before; its history remembers for longer.
constexpr Duration kMayBeLost = std::chrono::hours(1);

std::string memory_file(const SourceContext& context) {
    return context.state.empty() ? "" : context.state + "/timers/" + context.pipeline;
}
}  // namespace

/// Tells the source what became of the event that it sent.
struct Timer::Sent final : Ticket {
    explicit Sent(Timer& timer) : owner(timer) {}
    void accepted(Admission admission) override {
        answer(admission == Admission::stored ? Answer::stored : Answer::needless);
    }
    void rejected(const Error&) override { answer(Answer::rejected); }
    void answer(Answer answer) {
        owner.answer_ = answer;
        owner.bell_.ring();
    }
    Timer& owner;
};

Timer::Timer(Schedule schedule, Missed missed, const SourceContext& context)
    : schedule_(std::move(schedule)),
      missed_(missed),
      context_(context),
      memory_(memory_file(context), schedule_.text()),
      bell_(context.loop.ready()) {}

Task<Result<void>> Timer::run(Cancel& stop) {
    Backoff backoff(seconds(1), minutes(1));
    last_ms_ = context_.loop.clock().wall_ms();
    co_await remember();
    while (!stop.requested()) {
        const Result<void> turned = co_await turn(stop);
        if (turned) {
            set_trouble("");
            backoff.reset();
            continue;
        }
        if (stop.requested()) break;
        set_trouble(turned.error().text());
        const Result<void> slept = co_await context_.loop.timers().sleep(backoff.next(), stop);
        static_cast<void>(slept);
    }
    co_return fail(stop.error());
}

/// At the first start nothing is missed, and from then on everything is known.
Task<void> Timer::remember() {
    if (!memory_.keeps()) co_return;
    auto read = [this] { return memory_.read(); };
    const Result<std::optional<std::int64_t>> kept = co_await offload(context_.loop, read);
    if (kept && *kept) {
        last_ms_ = **kept;
        co_return;
    }
    if (!kept) {
        log::warning("timer.forgetful",
                     Json{{"pipeline", context_.pipeline}, {"reason", kept.error().text()}});
    }
    unsaved_ = true;
    co_await save();
}

Task<void> Timer::save() {
    if (!unsaved_ || !memory_.keeps()) co_return;
    auto write = [this] { return memory_.write(last_ms_); };
    const Result<void> written = co_await offload(context_.loop, write);
    unsaved_ = !written;
    const std::string why = written ? std::string() : written.error().text();
    if (!written && forgetful_.empty()) {
        log::warning("timer.forgetful", Json{{"pipeline", context_.pipeline}, {"reason", why}});
    }
    forgetful_ = why;
}

/// Sleeps until something is due, and for kLook at most, or makes one event.
Task<Result<void>> Timer::turn(Cancel& stop) {
    if (paused_) {
        co_await save();
        co_return co_await bell_.wait(stop);
    }
    if (std::exchange(doubtful_, false)) {
        Result<void> sure = co_await bring_lost(stop);
        doubtful_ = doubtful_ || !sure;
        co_return sure;
    }
    const std::int64_t now_ms = context_.loop.clock().wall_ms();
    follow_clock(now_ms);
    MUSHER_CO_TRY(next_, schedule_.after(last_ms_));
    if (next_->at_ms > now_ms) {
        co_await save();
        co_return co_await rest(next_->at_ms, stop);
    }
    MUSHER_CO_TRY(const Firing firing, schedule_.last_by(now_ms, *next_));
    const std::int64_t late_ms = now_ms - firing.at_ms;
    if (late_ms <= kSlackMs) co_return co_await fire(firing, stop);
    log::info("timer.missed", Json{{"pipeline", context_.pipeline},
                                   {"due", format_time(firing.due_ms)},
                                   {"late_ms", late_ms},
                                   {"fires", missed_ == Missed::once}});
    if (missed_ == Missed::once) co_return co_await fire(firing, stop);
    last_ms_ = firing.due_ms;
    unsaved_ = true;
    co_return Result<void>();
}

void Timer::follow_clock(std::int64_t now_ms) {
    const bool starting = std::exchange(starting_, false);
    std::int64_t from_ms = last_ms_;
    if (last_ms_ - now_ms > kSlackMs) {
        log::info("timer.clock_set_back",
                  Json{{"pipeline", context_.pipeline}, {"by_ms", last_ms_ - now_ms}});
        // It may have been set a while ago: what was due since then fires.
        from_ms = starting ? now_ms : now_ms - kLook / milliseconds(1);
    } else if (starting && missed_ == Missed::skip) {
        from_ms = std::max(last_ms_, now_ms);
    }
    unsaved_ = unsaved_ || from_ms != last_ms_;
    last_ms_ = from_ms;
}

Task<Result<void>> Timer::rest(std::int64_t until_ms, Cancel& stop) {
    const Clock& clock = context_.loop.clock();
    const Duration look = kLook - clock.now().time_since_epoch() % kLook;
    const Duration left = milliseconds(until_ms - clock.wall_ms());
    if (left.count() <= 0) co_return Result<void>();
    Cancel enough(stop);
    const Deadline deadline(context_.loop.timers(), enough, std::min(look, left));
    const Result<void> rung = co_await bell_.wait(enough);
    static_cast<void>(rung);  // rung, due or stopping: the caller looks either way
    co_return Result<void>();
}

Result<Event> Timer::event_of(std::int64_t due_ms) const {
    Event event;
    const std::string due = format_time(due_ms);
    event.id = uuid_of(fmt::format("timer {} {}", context_.pipeline, due));
    event.kind = "timer";
    MUSHER_TRY(event.date, format_date(due_ms, schedule_.timezone()));
    event.facts = Json{{"due", due}};
    return event;
}

Task<Result<void>> Timer::fire(Firing firing, Cancel& stop) {
    MUSHER_CO_TRY(Event event, event_of(firing.due_ms));
    MUSHER_CO_DO(co_await deliver(event, stop));
    // kill -9 here: at the next start it is sent again, and the queue knows its id.
    if (answer_ == Answer::stored) {
        stored_ = std::move(event);
        stored_at_ = context_.loop.clock().now();
    }
    last_ms_ = firing.due_ms;
    unsaved_ = true;
    co_return Result<void>();
}

/// `unavailable` when it was refused: it is made again, or counts as missed by then.
Task<Result<void>> Timer::deliver(Event event, Cancel& stop) {
    answer_ = Answer::none;
    Delivery delivery;
    delivery.event = std::move(event);
    delivery.ticket = std::make_unique<Sent>(*this);
    MUSHER_CO_DO(co_await context_.out.send(std::move(delivery), stop));
    while (answer_ == Answer::none) MUSHER_CO_DO(co_await bell_.wait(stop));
    if (answer_ == Answer::rejected) co_return fail(Errc::unavailable, "the event was refused");
    co_return Result<void>();
}

/// The queue's server may have lost what it had accepted last.
Task<Result<void>> Timer::bring_lost(Cancel& stop) {
    const bool young = stored_ && context_.loop.clock().now() - stored_at_ <= kMayBeLost;
    if (!young) co_return Result<void>();
    std::vector<std::string> id{stored_->id};
    MUSHER_CO_TRY(const std::vector<Presence> known,
                  co_await context_.ledger.find(std::move(id), stop));
    if (known.front() != Presence::unknown) co_return Result<void>();
    Event again = *stored_;
    co_return co_await deliver(std::move(again), stop);
}

void Timer::pause(PauseReason why) {
    paused_ = why;
    bell_.ring();
}

void Timer::resume() {
    starting_ = starting_ || paused_.has_value();
    paused_.reset();
    bell_.ring();
}

void Timer::recheck() {
    doubtful_ = true;
    bell_.ring();
}

/// Nothing outside tells of an event.
Task<Result<void>> Timer::settle(std::vector<Settlement>& ended, Cancel&) {
    ended.clear();
    co_return Result<void>();
}

void Timer::set_trouble(std::string trouble) {
    if (!trouble.empty() && trouble != trouble_) {
        log::warning("timer.trouble", Json{{"pipeline", context_.pipeline}, {"reason", trouble}});
    }
    trouble_ = std::move(trouble);
}

Json Timer::status() const {
    const std::string& wrong = trouble_.empty() ? forgetful_ : trouble_;
    Json row{{"ok", wrong.empty()}, {"detail", wrong}};
    if (!next_) return row;
    row["next"] = format_time(next_->at_ms);
    if (!wrong.empty()) return row;
    row["detail"] = paused_ ? "paused" : "next at " + format_time(next_->at_ms);
    return row;
}

Task<std::vector<Problem>> Timer::probe(Cancel&) {
    std::vector<Problem> problems;
    const Result<Firing> next = schedule_.after(context_.loop.clock().wall_ms());
    if (!next) {
        problems.push_back(Problem{
            {}, Problem::Severity::error, "no_due_time", next.error().text(), next.error().hint});
    }
    co_return problems;
}

}  // namespace musher::timer
