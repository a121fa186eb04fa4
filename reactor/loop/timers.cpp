#include "reactor/loop/timers.h"

#include "reactor/loop/loop.h"

namespace musher {

Timers::Timers(Loop& loop, Clock& clock) : loop_(loop), clock_(clock) {
    MUSHER_CHECK(uv_timer_init(loop.uv(), timer_.get()) == 0);
    timer_.opened();
    timer_->data = this;
}

void Timers::close() {
    MUSHER_CHECK(due_.empty());
    timer_.close();
}

Task<Result<void>> Timers::sleep(Duration span, Cancel& cancel) {
    if (cancel.requested()) co_return fail(cancel.error());
    Waiters waiters(loop_.ready());
    Alarm alarm(*this);
    alarm.arm(span, [&waiters] { waiters.wake_one(); });
    co_return co_await waiters.wait(cancel);
}

void Timers::fire_due() {
    const Instant now = clock_.now();
    while (!due_.empty() && due_.begin()->first.first <= now) {
        Entry entry = std::move(due_.begin()->second);
        due_.erase(due_.begin());
        entry.alarm->armed_ = false;
        entry.callback();
    }
    rearm();
}

void Timers::rearm() {
    if (!timer_.is_open()) return;
    if (due_.empty()) {
        uv_timer_stop(timer_.get());
        return;
    }
    const Duration left = due_.begin()->first.first - clock_.now();
    // Round up: firing early would spin until the clock gets there.
    const auto ms = left.count() <= 0 ? 0 : (left.count() + 999'999) / 1'000'000;
    uv_update_time(loop_.uv());
    uv_timer_start(
        timer_.get(),
        [](uv_timer_t* timer) {
            auto* self = static_cast<Timers*>(timer->data);
            const Watchdog::Call call(self->loop_.watchdog(), "timers");
            self->fire_due();
        },
        static_cast<std::uint64_t>(ms), 0);
}

void Timers::Alarm::arm(Duration span, std::function<void()> callback) {
    disarm();
    key_ = {timers_.clock_.now() + span, timers_.next_++};
    armed_ = true;
    const auto placed = timers_.due_.emplace(key_, Entry{this, std::move(callback)}).first;
    if (placed == timers_.due_.begin()) timers_.rearm();
}

void Timers::Alarm::disarm() {
    if (!armed_) return;
    armed_ = false;
    timers_.due_.erase(key_);
    // A uv_timer that fires for nothing re-arms itself; only the last one is stopped here.
    if (timers_.due_.empty()) timers_.rearm();
}

Deadline::Deadline(Timers& timers, Cancel& cancel, Duration span) : alarm_(timers) {
    if (span.count() <= 0) return;
    alarm_.arm(span, [&cancel, span] {
        cancel.request(Errc::timeout, "not finished within " + format_duration(span));
    });
}

}  // namespace musher
