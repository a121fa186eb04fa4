#include "reactor/loop/loop.h"

#include <algorithm>
#include <cstdlib>
#include <thread>

#include "reactor/base/limits.h"

namespace musher {

namespace {
uv_loop_t* init(uv_loop_t* loop) {
    // libuv reads it when the first work is queued.
    const std::string size = std::to_string(Loop::pool_size());
    setenv("UV_THREADPOOL_SIZE", size.c_str(), 1);
    MUSHER_CHECK(uv_loop_init(loop) == 0);
    return loop;
}

unsigned& pool_threads() {
    static unsigned threads = Loop::heavy_lanes() + 4;
    return threads;
}
}  // namespace

unsigned Loop::heavy_lanes() {
    const unsigned cores = std::thread::hardware_concurrency();
    return cores == 0 ? 1 : cores;
}

unsigned Loop::pool_size() { return pool_threads(); }

void Loop::widen_pool(unsigned threads) { pool_threads() = std::max(pool_threads(), threads); }

Loop::Loop(Clock& clock)
    : uv_(),
      clock_((init(&uv_), clock)),
      ready_([this] { wake(); }),
      watchdog_(limits::kLoopCall),
      timers_(*this, clock),
      heavy_(ready_, heavy_lanes()),
      root_("musher", ready_, clock) {
    MUSHER_CHECK(uv_idle_init(&uv_, idle_.get()) == 0);
    idle_.opened();
    idle_->data = this;
    MUSHER_CHECK(uv_prepare_init(&uv_, before_wait_.get()) == 0);
    before_wait_.opened();
    before_wait_->data = this;
    uv_prepare_start(before_wait_.get(), [](uv_prepare_t* prepare) {
        static_cast<Loop*>(prepare->data)->watchdog_.end_turn();
    });
    uv_unref(reinterpret_cast<uv_handle_t*>(before_wait_.get()));
}

Loop::~Loop() { MUSHER_CHECK(closed_); }

void Loop::wake() {
    // An active idle handle makes the next poll return at once.
    uv_idle_start(idle_.get(),
                  [](uv_idle_t* idle) { static_cast<Loop*>(idle->data)->turn_ready(); });
}

void Loop::turn_ready() {
    const Watchdog::Call call(watchdog_, "ready");
    uv_idle_stop(idle_.get());
    ready_.drain();
    if (!ready_.empty()) wake();
}

Task<void> Loop::drive(Loop& loop, Task<void> main) {
    Task<void> owned = std::move(main);
    co_await std::move(owned);
    loop.main_done_ = true;
    uv_stop(&loop.uv_);
}

void Loop::run(Task<void> main) {
    main_done_ = false;
    root_.spawn("main", drive(*this, std::move(main)));
    while (!main_done_ || root_.running() > 0 || !ready_.empty()) {
        uv_run(&uv_, main_done_ ? UV_RUN_ONCE : UV_RUN_DEFAULT);
        MUSHER_CHECK(main_done_ || uv_loop_alive(&uv_));
    }
}

int Loop::close() {
    timers_.close();
    idle_.close();
    before_wait_.close();
    // A main that never suspended leaves uv_stop()'s mark: the first turn returns at once then.
    while (uv_run(&uv_, UV_RUN_DEFAULT) != 0) {
    }
    closed_ = true;
    return uv_loop_close(&uv_);
}

}  // namespace musher
