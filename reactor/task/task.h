// Task<T>: a lazy coroutine. It starts when awaited, inline, and resumes its awaiter when done.
//
// No symmetric transfer (g++ 12 turns it into recursion at -O0 and under ASan): a child that ends
// while it is being started simply does not suspend its parent. Loop thread only.
#pragma once

#include "reactor/task/task_promise.h"

namespace musher {

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
