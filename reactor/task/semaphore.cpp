#include "reactor/task/semaphore.h"

namespace musher {

Task<Result<Semaphore::Permit>> Semaphore::acquire(Cancel& cancel) {
    if (cancel.requested()) co_return fail(cancel.error());
    if (units_ > 0 && waiters_.empty()) {
        --units_;
        co_return Permit(*this);
    }
    // A released unit is handed over, so nobody can slip in between.
    MUSHER_CO_DO(co_await waiters_.wait(cancel));
    co_return Permit(*this);
}

void Semaphore::release() {
    if (!waiters_.wake_one()) ++units_;
}

}  // namespace musher
