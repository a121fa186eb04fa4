// A queue of suspended coroutines: what every primitive of this folder is made of.
#pragma once

#include <coroutine>
#include <list>

#include "reactor/task/cancel.h"
#include "reactor/task/ready_list.h"

namespace musher {

/// Waiters leave in the order they came, or out of turn when their Cancel is requested.
/// Loop thread only; must be empty when destroyed.
class Waiters {
  public:
    explicit Waiters(ReadyList& ready) : ready_(ready) {}
    Waiters(const Waiters&) = delete;
    ~Waiters() { MUSHER_CHECK(queue_.empty()); }

    class Awaiter {
      public:
        Awaiter(Waiters& owner, Cancel& cancel) : owner_(owner), cancel_(cancel) {}
        Awaiter(Awaiter&&) = delete;
        bool await_ready() const noexcept { return cancel_.requested(); }
        void await_suspend(std::coroutine_handle<> handle);
        /// Woken by wake_one/wake_all, or the Cancel's reason.
        Result<void> await_resume();

      private:
        friend class Waiters;
        Waiters& owner_;
        Cancel& cancel_;
        std::coroutine_handle<> handle_;
        std::list<Awaiter*>::iterator place_;
        CancelHook hook_;
        bool woken_ = false;
    };

    /// Suspends until woken or cancelled; `cancelled`/`timeout` in the second case.
    Awaiter wait(Cancel& cancel) { return Awaiter(*this, cancel); }
    bool wake_one();
    void wake_all();
    bool empty() const { return queue_.empty(); }

  private:
    ReadyList& ready_;
    std::list<Awaiter*> queue_;
};

}  // namespace musher
