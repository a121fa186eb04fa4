// A loop for as long as one verb works.
#pragma once

#include <sys/resource.h>

#include <csignal>
#include <optional>

#include "reactor/loop/signals.h"

namespace musher {

namespace verb_detail {
template <class T, class F>
Task<void> start(Loop& loop, F& work, Cancel& cancel, std::optional<Result<T>>& answer) {
    answer.emplace(co_await work(loop, cancel));
}
}  // namespace verb_detail

/// Those that end a verb; not the hang-up that nohup(1) has ignored.
inline std::vector<int> ending_signals() {
    std::vector<int> signals{SIGINT, SIGTERM};
    struct sigaction now{};
    if (::sigaction(SIGHUP, nullptr, &now) == 0 && now.sa_handler != SIG_IGN) {
        signals.push_back(SIGHUP);
    }
    return signals;
}

/// Runs `work(Loop&, Cancel&)`, which gives a Task<Result<T>>, to its end. The ending signals
/// request the Cancel, so that it can put things back.
template <class T, class F>
Result<T> run_on_loop(F& work) {
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &files);
    }
    RealClock clock;
    Loop loop(clock);
    Cancel cancel;
    std::optional<Result<T>> answer;
    {
        const Signals signals(loop, ending_signals(),
                              [&cancel](int) { cancel.request(Errc::cancelled, "interrupted"); });
        loop.run(verb_detail::start<T>(loop, work, cancel, answer));
    }
    MUSHER_CHECK(loop.close() == 0);
    return std::move(*answer);
}

}  // namespace musher
