#include "reactor/loop/signals.h"

#include <csignal>

namespace musher {

void ignore_harmless_signals() {
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGIO, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN);
}

Signals::Signals(Loop& loop, const std::vector<int>& numbers, std::function<void(int)> on_signal)
    : state_(new State{&loop, std::move(on_signal)}) {
    for (const int number : numbers) {
        UvOwner<uv_signal_t>& handle = handles_.emplace_back();
        MUSHER_CHECK(uv_signal_init(loop.uv(), handle.get()) == 0);
        handle.opened();
        handle->data = state_.get();
        uv_unref(reinterpret_cast<uv_handle_t*>(handle.get()));
        uv_signal_start(
            handle.get(),
            [](uv_signal_t* signal, int got) {
                auto* state = static_cast<State*>(signal->data);
                if (!state) return;
                const Watchdog::Call call(state->loop->watchdog(), "signals");
                state->on_signal(got);
            },
            number);
    }
}

}  // namespace musher
