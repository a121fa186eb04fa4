// Task<T>: a lazy coroutine. It starts when awaited, inline, and resumes its awaiter when done.
//
// No symmetric transfer (g++ 12 turns it into recursion at -O0 and under ASan): a child that ends
// while it is being started simply does not suspend its parent. Loop thread only.
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

template <class T>
class [[nodiscard]] Task {
  public:
    using promise_type = task_detail::Promise<T>;
    using Handle = std::coroutine_handle<promise_type>;

    explicit Task(Handle handle) noexcept : handle_(handle) {}
    Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    Task& operator=(Task&& other) noexcept {
        std::swap(handle_, other.handle_);
        return *this;
    }
    /// Destroying a task that started and did not end is a programmer error.
    ~Task() {
        if (!handle_) return;
        MUSHER_CHECK(handle_.done() || !started_);
        handle_.destroy();
    }

    class Awaiter {
      public:
        explicit Awaiter(Handle child) noexcept : child_(child) {}
        Awaiter(Awaiter&&) = delete;
        bool await_ready() const noexcept { return false; }
        bool await_suspend(std::coroutine_handle<> parent) noexcept {
            promise_type& promise = child_.promise();
            promise.continuation = parent;
            promise.started_inline = true;
            child_.resume();
            promise.started_inline = false;
            return !promise.done;
        }
        T await_resume() noexcept { return child_.promise().take(); }

      private:
        Handle child_;
    };
    Awaiter start() && noexcept {
        started_ = true;
        return Awaiter(handle_);
    }

    void trace(TaskTrace* where) noexcept { handle_.promise().trace = where; }

  private:
    Handle handle_;
    bool started_ = false;
};

namespace task_detail {
template <class T>
Task<T> Promise<T>::get_return_object() noexcept {
    return Task<T>(std::coroutine_handle<Promise<T>>::from_promise(*this));
}
inline Task<void> Promise<void>::get_return_object() noexcept {
    return Task<void>(std::coroutine_handle<Promise<void>>::from_promise(*this));
}
}  // namespace task_detail

}  // namespace musher
