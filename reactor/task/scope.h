// Scope: the only way to start concurrent work, and the proof that all of it has ended.
#pragma once

#include <list>
#include <string>
#include <vector>

#include "reactor/base/clock.h"
#include "reactor/task/task.h"
#include "reactor/task/waiters.h"

namespace musher {

/// What `status --tasks` prints of one running task.
struct TaskRow {
    std::string name;
    int depth;  // nesting of scopes
    Duration age;
    std::string where;  // file:line of the last await
};

/// A nursery. Its destructor checks that it is empty: `co_await join()` first. Loop thread only.
class Scope {
  public:
    Scope(std::string name, ReadyList& ready, const Clock& clock, Scope* parent = nullptr);
    Scope(const Scope&) = delete;
    ~Scope();

    /// Starts `task` now, inline. Its frame must not refer to what may die before it ends.
    void spawn(std::string name, Task<void> task);
    /// Returns when nothing runs any more. Does not stop anything: request a Cancel for that.
    Task<void> join();
    std::size_t running() const { return running_.size(); }
    /// This scope's tasks, then those of the scopes below it.
    std::vector<TaskRow> rows(int depth = 0) const;

  private:
    struct Entry {
        std::string name;
        Instant since;
        TaskTrace trace;
    };
    struct Detached;
    static Detached drive(Scope& scope, std::list<Entry>::iterator entry, Task<void> task);

    std::string name_;
    const Clock& clock_;
    Scope* parent_;
    std::list<Scope*> children_;
    std::list<Entry> running_;
    Cancel never_;
    Waiters joiners_;
};

}  // namespace musher
