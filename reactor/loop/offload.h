// Runs a function on the uv pool and comes back to the loop with its value.
#pragma once

#include <optional>
#include <type_traits>

#include "reactor/loop/loop.h"

namespace musher {

/// Awaits to what `work()` returned. `work` and all it touches must stay untouched by the loop
/// until then; it cannot be cancelled, so keep it to one slice or one bounded batch.
template <class F>
class Offload {
  public:
    using Value = std::invoke_result_t<F&>;
    Offload(Loop& loop, F& work) : loop_(loop), work_(work) {}
    Offload(Offload&&) = delete;

    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle) {
        handle_ = handle;
        request_.data = this;
        const int status = uv_queue_work(
            loop_.uv(), &request_,
            [](uv_work_t* request) {
                auto* self = static_cast<Offload*>(request->data);
                self->value_.emplace(self->work_());
            },
            [](uv_work_t* request, int) {
                auto* self = static_cast<Offload*>(request->data);
                --self->loop_.offloaded_;
                const Watchdog::Call call(self->loop_.watchdog(), "offload");
                self->handle_.resume();
            });
        MUSHER_CHECK(status == 0);
        ++loop_.offloaded_;
    }
    Value await_resume() { return std::move(*value_); }

  private:
    Loop& loop_;
    F& work_;
    std::optional<Value> value_;
    std::coroutine_handle<> handle_;
    uv_work_t request_{};
};

/// `auto work = [&] {…}; auto v = co_await offload(loop, work);` The lambda must be named: a
/// temporary one in a co_await statement is miscompiled by g++ 12.
template <class F>
Offload<F> offload(Loop& loop, F& work) {
    return Offload<F>(loop, work);
}
template <class F>
Offload<F> offload(Loop& loop, F&& work) requires(!std::is_lvalue_reference_v<F>) = delete;

}  // namespace musher
