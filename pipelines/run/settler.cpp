#include "pipelines/run/settler.h"

#include "pipelines/run/settlement.h"
#include "reactor/base/backoff.h"
#include "reactor/base/log.h"

namespace musher {

namespace {
constexpr std::string_view kAlarm = "on_failure";

void append(std::vector<Settlement>& to, std::vector<Settlement>& from) {
    to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
    from.clear();
}
}  // namespace

Settler::Settler(Loop& loop, const std::shared_ptr<const Program>& program,
                 const std::shared_ptr<Source>& source, JobQueue& queue,
                 std::function<void(std::size_t)> finished)
    : loop_(loop),
      program_(program),
      source_(source),
      queue_(queue),
      finished_(std::move(finished)),
      woken_(loop.ready()) {}

void Settler::add(std::vector<Settlement> batch) {
    const std::size_t all = batch.size();
    std::erase_if(batch, [this](const Settlement& ended) {
        // Made by hand: nothing to put away.
        return ended.event.kind != kind() && ended.event.kind != kAlarm;
    });
    finished_(all - batch.size());
    for (const Settlement& ended : batch) under_way_.insert(ended.event.id);
    append(fresh_, batch);
    woken_.wake_one();
}

void Settler::end() {
    ends_ = true;
    woken_.wake_all();
}

Task<void> Settler::run(Cancel& stop) {
    Cancel never;
    Backoff backoff(std::chrono::seconds(1), std::chrono::minutes(1));
    Instant again = Instant::max();
    for (;;) {
        const bool due = loop_.clock().now() >= again;
        if (fresh_.empty() && !due) {
            if (ends_) co_return;  // what is left is finished at the next start
            co_await rest(again, stop);
            continue;
        }
        std::vector<Settlement> batch = std::exchange(fresh_, {});
        if (due) append(batch, left_);
        const std::size_t count = batch.size();
        std::vector<std::string> events;
        for (const Settlement& ended : batch) events.push_back(ended.event.id);
        under_way_.insert(events.begin(), events.end());
        const Result<void> done = co_await settle(batch, never);
        for (const std::string& event : events) under_way_.erase(event);
        finished_(count - batch.size());
        append(left_, batch);
        if (left_.empty()) {
            again = Instant::max();
            backoff.reset();
            trouble_.clear();
        } else if (due || again == Instant::max()) {
            again = loop_.clock().now() + backoff.next();
        }
        if (done) continue;
        if (trouble_.empty()) {
            log::error("source.not_settled", Json{{"pipeline", pipeline()},
                                                  {"originals", left_.size()},
                                                  {"reason", done.error().text()},
                                                  {"hint", done.error().hint}});
        }
        trouble_ = done.error().text();
    }
}

Task<void> Settler::rest(Instant again, Cancel& stop) {
    Cancel never;
    // While it stops nothing is waited for but the ends of jobs.
    Cancel& enough = stop.requested() ? never : stop;
    Cancel until(enough);
    const bool timed = again != Instant::max();
    const Duration span = timed ? again - loop_.clock().now() : Duration(0);
    const Deadline deadline(loop_.timers(), until, timed ? std::max(span, Duration(1)) : span);
    const Result<void> woken = co_await woken_.wait(until);
    static_cast<void>(woken);  // the caller looks either way
}

Task<Result<void>> Settler::settle(std::vector<Settlement>& batch, Cancel& cancel) {
    MUSHER_CO_DO(co_await resolve(batch, cancel));
    if (batch.empty()) co_return Result<void>();
    const std::shared_ptr<Source> source = source_;  // an edit may replace it meanwhile
    co_return co_await source->settle(batch, cancel);
}

/// Leaves those in `batch` whose originals may be put away now.
Task<Result<void>> Settler::resolve(std::vector<Settlement>& batch, Cancel& cancel) {
    std::vector<std::string> failed;
    for (const Settlement& ended : batch) {
        if (ended.outcome != Outcome::done || ended.event.kind == kAlarm) {
            failed.push_back(ended.event.id);
        }
    }
    if (failed.empty()) co_return Result<void>();
    MUSHER_CO_TRY(const std::vector<Presence> known,
                  co_await find_originals(queue_, failed, cancel));
    std::size_t next = 0;
    std::erase_if(batch, [&](const Settlement& ended) {
        const bool asked = ended.outcome != Outcome::done || ended.event.kind == kAlarm;
        // Live: its on_failure job comes here when it has ended, or it runs again.
        return asked && known[next++] == Presence::live;
    });
    co_return co_await to_parents(batch, cancel);
}

/// The end of an on_failure job is that of the job that died: their events have one id.
Task<Result<void>> Settler::to_parents(std::vector<Settlement>& batch, Cancel& cancel) {
    for (Settlement& ended : batch) {
        if (ended.event.kind != kAlarm) continue;
        const std::string id = ended.event.id;
        Result<JobRow> parent = co_await queue_.show(id, cancel);
        if (parent) {
            ended = settlement_of(std::move(*parent));
        } else if (parent.error().code == Errc::not_found) {
            // Purged meanwhile: what is known of it must do.
            ended.event.kind = kind();
            ended.outcome = Outcome::dead;
            ended.error = parent.error();
            const Json job{{"id", id}, {"pipeline", pipeline()}, {"event", ended.event.to_json()}};
            ended.report =
                Json{{"error", to_json(ended.error)}, {"job", job}, {"story", Json::array()}};
        } else {
            co_return fail(parent.error());
        }
    }
    std::erase_if(batch, [this](const Settlement& e) { return e.event.kind != kind(); });
    co_return Result<void>();
}

Task<Result<void>> Settler::settle_now(std::string id, Cancel& cancel) {
    MUSHER_CO_TRY(JobRow row, co_await queue_.show(std::move(id), cancel));
    std::vector<Settlement> one;
    one.push_back(settlement_of(std::move(row)));
    const std::string& event = one.front().event.kind;
    if (event != kind() && event != kAlarm) co_return Result<void>();
    co_return co_await settle(one, cancel);
}

}  // namespace musher
