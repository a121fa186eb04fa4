#include "reactor/loop/watchdog.h"

#include "reactor/base/log.h"

namespace musher {

namespace {
Instant monotonic() { return std::chrono::steady_clock::now(); }
}  // namespace

Watchdog::Call::Call(Watchdog& dog, const char* name)
    : dog_(dog), name_(name), began_(monotonic()), outermost_(!dog.inside_) {
    dog_.inside_ = true;
}

Watchdog::Call::~Call() {
    if (!outermost_) return;
    dog_.inside_ = false;
    const Duration took = monotonic() - began_;
    dog_.turn_ += took;
    if (took <= dog_.limit_) return;
    ++dog_.calls_over_;
    Offender& offender = dog_.offenders_[name_];
    ++offender.calls;
    if (took <= offender.longest) return;
    offender.longest = took;
    log::debug("loop.slow_call",
               Json{{"call", name_},
                    {"took_ms", std::chrono::duration_cast<milliseconds>(took).count()}});
}

void Watchdog::end_turn() {
    if (turn_ == Duration(0)) return;
    turns_.add(turn_);
    longest_turn_ = std::max(longest_turn_, turn_);
    turn_ = Duration(0);
}

}  // namespace musher
