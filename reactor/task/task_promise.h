// What every Task's frame holds: who waits for it, and how its awaits are made safe for g++ 12.
#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <source_location>
#include <utility>

#include "reactor/base/error.h"

namespace musher {

/// Where a spawned task last awaited; shared by all frames of one Scope entry.
struct TaskTrace {
    const char* file = "";
    unsigned line = 0;
};

template <class T>
class Task;

namespace task_detail {

struct PromiseBase {
    std::coroutine_handle<> continuation;
    TaskTrace* trace = nullptr;
    bool started_inline = false;
    bool done = false;

    std::suspend_always initial_suspend() noexcept { return {}; }

    struct FinalAwaiter {
        bool await_ready() const noexcept { return false; }
        template <class Promise>
        void await_suspend(std::coroutine_handle<Promise> self) const noexcept {
            PromiseBase& promise = self.promise();
            promise.done = true;
            // While the parent still starts us it looks at `done` itself.
            if (!promise.started_inline && promise.continuation) promise.continuation.resume();
        }
        void await_resume() const noexcept {}
    };
    FinalAwaiter final_suspend() noexcept { return {}; }

    // Exceptions stop at the file that includes the throwing library; one here is a bug.
    [[noreturn]] void unhandled_exception() noexcept { std::terminate(); }

    // g++ 12 copies an awaiter that await_transform returns by reference (PR 104872), so a Task
    // becomes its awaiter here and anything else is wrapped by reference, both as values.
    template <class U>
    typename Task<U>::Awaiter await_transform(
        Task<U>&& child, std::source_location at = std::source_location::current()) noexcept {
        note(at);
        child.trace(trace);
        return std::move(child).start();
    }
    template <class Inner>
    struct Wrapped {
        explicit Wrapped(Inner& awaiter) noexcept : inner(awaiter) {}
        Wrapped(Wrapped&&) = delete;
        Inner& inner;
        bool await_ready() { return inner.await_ready(); }
        auto await_suspend(std::coroutine_handle<> handle) { return inner.await_suspend(handle); }
        decltype(auto) await_resume() { return inner.await_resume(); }
    };
    template <class Inner>
    Wrapped<Inner> await_transform(
        Inner&& awaiter, std::source_location at = std::source_location::current()) noexcept {
        note(at);
        return Wrapped<Inner>(awaiter);
    }

  private:
    void note(std::source_location at) noexcept {
        // NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Branch): it misses promise constructors
        if (!trace) return;
        trace->file = at.file_name();
        trace->line = at.line();
    }
};

template <class T>
struct Promise : PromiseBase {
    std::optional<T> value;
    Task<T> get_return_object() noexcept;
    template <class U>
    void return_value(U&& result) {
        value.emplace(std::forward<U>(result));
    }
    T take() { return std::move(*value); }
};

template <>
struct Promise<void> : PromiseBase {
    Task<void> get_return_object() noexcept;
    void return_void() noexcept {}
    void take() noexcept {}
};

}  // namespace task_detail

}  // namespace musher
