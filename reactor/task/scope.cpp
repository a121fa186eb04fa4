#include "reactor/task/scope.h"

#include <cstring>

namespace musher {

/// The frame that carries a spawned task; it frees itself.
struct Scope::Detached {
    struct promise_type {
        Detached get_return_object() noexcept { return {}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() noexcept {}
        [[noreturn]] void unhandled_exception() noexcept { std::terminate(); }
    };
};

Scope::Scope(std::string name, ReadyList& ready, const Clock& clock, Scope* parent)
    : name_(std::move(name)), clock_(clock), parent_(parent), joiners_(ready) {
    if (parent_) parent_->children_.push_back(this);
}

Scope::~Scope() {
    MUSHER_CHECK(running_.empty());
    MUSHER_CHECK(children_.empty());
    if (parent_) parent_->children_.remove(this);
}

Scope::Detached Scope::drive(Scope& scope, std::list<Entry>::iterator entry, Task<void> task) {
    {
        Task<void> owned = std::move(task);
        owned.trace(&entry->trace);
        co_await std::move(owned).start();
    }
    scope.running_.erase(entry);
    if (scope.running_.empty()) scope.joiners_.wake_all();
}

void Scope::spawn(std::string name, Task<void> task) {
    const auto entry =
        running_.insert(running_.end(), Entry{std::move(name), clock_.now(), TaskTrace{}});
    drive(*this, entry, std::move(task));
}

Task<void> Scope::join() {
    while (!running_.empty()) {
        const Result<void> woken = co_await joiners_.wait(never_);
        MUSHER_CHECK(woken.has_value());
    }
}

std::vector<TaskRow> Scope::rows(int depth) const {
    std::vector<TaskRow> all;
    const Instant now = clock_.now();
    for (const Entry& entry : running_) {
        const char* slash = std::strrchr(entry.trace.file, '/');
        std::string where = std::string(slash ? slash + 1 : entry.trace.file) + ":" +
                            std::to_string(entry.trace.line);
        all.push_back(TaskRow{name_ + "/" + entry.name, depth, now - entry.since, where});
    }
    for (const Scope* child : children_) {
        for (TaskRow& row : child->rows(depth + 1)) all.push_back(std::move(row));
    }
    return all;
}

}  // namespace musher
