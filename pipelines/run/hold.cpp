#include "pipelines/run/hold.h"

#include <algorithm>

#include "reactor/base/backoff.h"
#include "reactor/base/log.h"

namespace musher {

namespace {
constexpr Duration kFirstProbe = std::chrono::seconds(1);
constexpr Duration kLastProbe = std::chrono::minutes(1);
}  // namespace

void Hold::fault(const std::string& sink, const Error& error) {
    const Instant now = clock_.now();
    fault_at_ = now;
    asked_until_ = std::max(asked_until_, now + error.retry_after);
    if (!active_) {
        active_ = true;
        faults_ = 0;
        since_ms_ = clock_.wall_ms();
        log::warning("pipeline.held",
                     Json{{"queue", queue_}, {"sink", sink}, {"reason", error.text()}});
    } else if (now < probe_at_) {
        probe_at_ = std::max(probe_at_, asked_until_);
        return;  // a job that was already under way when the hold began
    }
    sink_ = sink;
    reason_ = error.text();
    // Half fixed, half jitter: never a probe storm, never two reactors in step for long.
    const Duration ceiling = std::min(kLastProbe, kFirstProbe * (1 << std::min(faults_, 6)));
    const Duration pause = ceiling / 2 + backoff_delay(ceiling / 2, ceiling / 2, 1);
    probe_at_ = std::max(now + pause, asked_until_);
    pause_ = 2 * ceiling;
    ++faults_;
}

bool Hold::lift(const Passed& passed) {
    // A job that was under way proves nothing: it may have gone through before the fault, and the
    // server may still want to be left alone.
    const auto through = passed.find(sink_);
    const bool well = through != passed.end() && through->second >= fault_at_;
    const bool early = clock_.now() < asked_until_;
    if (!active_ || !well || early) return false;
    active_ = false;
    log::info("pipeline.released", Json{{"queue", queue_}, {"sink", sink_}});
    return true;
}

void Hold::hasten() {
    if (active_) probe_at_ = std::max(clock_.now(), asked_until_);
}

std::size_t Hold::allowance(std::size_t wanted, std::size_t running) const {
    if (!active_) return wanted;
    if (running > 0 || clock_.now() < probe_at_) return 0;
    return std::min<std::size_t>(wanted, 1);
}

}  // namespace musher
