#include "reactor/loop/wakeup.h"

namespace musher {

Wakeup::Wakeup(Loop& loop, const char* name, std::function<void()> ring)
    : loop_(loop), name_(name), ring_(std::move(ring)) {
    const int status = uv_async_init(loop.uv(), handle_.get(), [](uv_async_t* handle) {
        auto* self = static_cast<Wakeup*>(handle->data);
        if (!self) return;
        const Watchdog::Call call(self->loop_.watchdog(), self->name_);
        self->ring_();
    });
    MUSHER_CHECK(status == 0);
    handle_.opened();
    handle_->data = this;
    // Whoever waits for a signal keeps the loop running, not this.
    uv_unref(reinterpret_cast<uv_handle_t*>(handle_.get()));
}

}  // namespace musher
