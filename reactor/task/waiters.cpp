#include "reactor/task/waiters.h"

namespace musher {

void Waiters::Awaiter::await_suspend(std::coroutine_handle<> handle) {
    handle_ = handle;
    place_ = owner_.queue_.insert(owner_.queue_.end(), this);
    hook_.attach(cancel_, [this] {
        owner_.queue_.erase(place_);
        owner_.ready_.post(handle_);
    });
}

Result<void> Waiters::Awaiter::await_resume() {
    if (woken_) return {};
    return fail(cancel_.error());
}

bool Waiters::wake_one() {
    if (queue_.empty()) return false;
    Awaiter* first = queue_.front();
    queue_.pop_front();
    first->hook_.detach();
    first->woken_ = true;
    ready_.post(first->handle_);
    return true;
}

void Waiters::wake_all() {
    while (wake_one()) {
    }
}

}  // namespace musher
