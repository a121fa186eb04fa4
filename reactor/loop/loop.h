// Loop: the one thread that everything but heavy work runs on.
#pragma once

#include <uv.h>

#include <memory>

#include "reactor/base/clock.h"
#include "reactor/loop/timers.h"
#include "reactor/loop/uv_owner.h"
#include "reactor/loop/watchdog.h"
#include "reactor/task/ready_list.h"
#include "reactor/task/scope.h"
#include "reactor/task/semaphore.h"

namespace musher {

/// Not copyable, not movable; every member is for the loop thread.
class Loop {
  public:
    /// Sizes the process's uv pool: pool_size() threads.
    explicit Loop(Clock& clock);
    Loop(const Loop&) = delete;
    /// close() must have been called.
    ~Loop();

    /// Runs until `main` has ended and nothing it spawned in `root()` is left.
    void run(Task<void> main);
    /// Releases the loop's own handles and turns it until every close callback ran.
    /// Returns uv_loop_close()'s value: 0, or a handle was leaked.
    int close();

    uv_loop_t* uv() { return &uv_; }
    Clock& clock() { return clock_; }
    ReadyList& ready() { return ready_; }
    Timers& timers() { return timers_; }
    Watchdog& watchdog() { return watchdog_; }
    Scope& root() { return root_; }
    /// Permits for heavy work, heavy_lanes() of them, so that files and DNS never starve.
    Semaphore& heavy() { return heavy_; }
    static unsigned heavy_lanes();  // cores
    static unsigned pool_size();    // cores + 4, where nobody widened it
    /// For a process whose threads wait for disks. Before the process's first Loop.
    static void widen_pool(unsigned threads);
    /// Given to offload() and not back yet; over pool_size() they wait for a thread.
    std::size_t offloaded() const { return offloaded_; }

  private:
    template <class F>
    friend class Offload;
    void turn_ready();
    void wake();
    static Task<void> drive(Loop& loop, Task<void> main);

    uv_loop_t uv_;
    Clock& clock_;
    ReadyList ready_;
    Watchdog watchdog_;
    UvOwner<uv_idle_t> idle_;
    UvOwner<uv_prepare_t> before_wait_;
    Timers timers_;
    Semaphore heavy_;
    Scope root_;
    std::size_t offloaded_ = 0;
    bool closed_ = false;
    bool main_done_ = false;
};

}  // namespace musher
