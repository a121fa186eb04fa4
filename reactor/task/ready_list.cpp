#include "reactor/task/ready_list.h"

namespace musher {

void ReadyList::post(std::coroutine_handle<> handle) {
    const bool was_empty = next_.empty();
    next_.push_back(handle);
    if (was_empty && wake_) wake_();
}

void ReadyList::drain() {
    now_.swap(next_);
    for (const std::coroutine_handle<> handle : now_) handle.resume();
    now_.clear();
}

void ReadyList::run_all() {
    while (!empty()) drain();
}

}  // namespace musher
