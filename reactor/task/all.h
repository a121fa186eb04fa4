// Runs several tasks side by side and waits for all of them.
#pragma once

#include <vector>

#include "reactor/task/scope.h"

namespace musher {

namespace task_detail {
template <class T>
Task<void> store(Task<T> task, std::optional<T>& into) {
    Task<T> owned = std::move(task);
    into.emplace(co_await std::move(owned));
}
}  // namespace task_detail

/// The results in the order of the tasks; nothing is cancelled when one fails.
template <class T>
Task<std::vector<T>> all(ReadyList& ready, const Clock& clock, std::vector<Task<T>> tasks) {
    std::vector<std::optional<T>> slots(tasks.size());
    Scope scope("all", ready, clock);
    for (std::size_t i = 0; i < tasks.size(); ++i) {
        scope.spawn(std::to_string(i), task_detail::store(std::move(tasks[i]), slots[i]));
    }
    co_await scope.join();
    std::vector<T> results;
    results.reserve(slots.size());
    for (std::optional<T>& slot : slots) results.push_back(std::move(*slot));
    co_return results;
}

}  // namespace musher
