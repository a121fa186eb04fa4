// Exponential backoff with full jitter.
#pragma once

#include <algorithm>
#include <random>

#include "reactor/base/clock.h"

namespace musher {

/// The n-th next() is uniform in [0, min(cap, base * 2^n)], so that many clients of one broken
/// server do not come back together.
class Backoff {
  public:
    Backoff(Duration base, Duration cap) : base_(base), cap_(cap), ceiling_(base) {}

    Duration next() {
        const Duration ceiling = ceiling_;
        ceiling_ = ceiling_ > cap_ / 2 ? cap_ : ceiling_ * 2;
        return Duration(std::uniform_int_distribution<Duration::rep>(0, ceiling.count())(random_));
    }
    void reset() { ceiling_ = base_; }

  private:
    Duration base_;
    Duration cap_;
    Duration ceiling_;
    std::minstd_rand random_{std::random_device{}()};
};

/// The same for a try that is counted elsewhere (a job's attempt, from 1).
inline Duration backoff_delay(Duration base, Duration cap, int attempt) {
    Duration ceiling = base;
    for (int i = 1; i < attempt && ceiling < cap; ++i) ceiling *= 2;
    return Backoff(std::min(ceiling, cap), cap).next();
}

}  // namespace musher
