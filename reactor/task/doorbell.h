// Doorbell: "something may have changed, look again".
#pragma once

#include "reactor/task/task.h"
#include "reactor/task/waiters.h"

namespace musher {

/// A ring while nobody waits is kept for the next wait(); many count as one. Loop thread only;
/// nobody may wait when it is destroyed.
class Doorbell {
  public:
    explicit Doorbell(ReadyList& ready) : waiters_(ready) {}

    void ring() {
        if (!waiters_.wake_one()) rung_ = true;
    }
    /// Returns after a ring, or with the Cancel's reason.
    Task<Result<void>> wait(Cancel& cancel) {
        if (rung_ && !cancel.requested()) {
            rung_ = false;
            co_return Result<void>();
        }
        co_return co_await waiters_.wait(cancel);
    }

  private:
    Waiters waiters_;
    bool rung_ = false;
};

}  // namespace musher
