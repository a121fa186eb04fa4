#include "reactor/loop/time_lapse.h"

#include "reactor/loop/loop.h"

namespace musher {

namespace {
/// Timers are what is leapt to; idle and prepare handles are the loop's own and ours.
bool is_work(const uv_handle_t* handle) {
    switch (handle->type) {
        case UV_TIMER:
        case UV_IDLE:
        case UV_PREPARE:
            return uv_is_closing(handle) != 0;  // its memory goes in this turn
        default:
            return uv_is_closing(handle) != 0 || uv_is_active(handle) != 0;
    }
}
}  // namespace

TimeLapse::TimeLapse(Loop& loop, ManualClock& clock, Duration patience, std::function<void()> leapt,
                     std::function<void()> tired)
    : loop_(loop), clock_(clock), leapt_(std::move(leapt)), tired_(std::move(tired)) {
    MUSHER_CHECK(uv_prepare_init(loop.uv(), look_.get()) == 0);
    look_.opened();
    look_->data = this;
    uv_prepare_start(look_.get(),
                     [](uv_prepare_t* look) { static_cast<TimeLapse*>(look->data)->look(); });
    MUSHER_CHECK(uv_timer_init(loop.uv(), patience_.get()) == 0);
    patience_.opened();
    patience_->data = this;
    const auto ms = std::chrono::duration_cast<milliseconds>(patience).count();
    uv_update_time(loop.uv());
    uv_timer_start(
        patience_.get(),
        [](uv_timer_t* timer) {
            auto* self = static_cast<TimeLapse*>(timer->data);
            self->is_tired_ = true;
            self->tired_();
        },
        static_cast<std::uint64_t>(ms), 0);
}

TimeLapse::~TimeLapse() = default;

/// The last thing before the loop waits for the world.
void TimeLapse::look() {
    if (!loop_.ready().empty() || (!is_tired_ && others_work())) return;
    const Instant next = loop_.timers().next_due();
    if (next == Instant::max()) return;
    if (next > clock_.now()) clock_.advance(next - clock_.now());
    loop_.timers().fire_due();
    leapt_();
}

bool TimeLapse::others_work() const {
    if (loop_.uv()->active_reqs.count > 0) return true;  // on the pool
    bool working = false;
    uv_walk(
        loop_.uv(),
        [](uv_handle_t* handle, void* found) {
            if (is_work(handle)) *static_cast<bool*>(found) = true;
        },
        &working);
    return working;
}

}  // namespace musher
