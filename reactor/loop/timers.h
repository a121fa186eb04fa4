// All timers of a loop on one uv_timer, driven by a Clock that tests can hold.
#pragma once

#include <functional>
#include <map>
#include <utility>

#include "reactor/base/clock.h"
#include "reactor/loop/uv_owner.h"
#include "reactor/task/task.h"
#include "reactor/task/waiters.h"

namespace musher {

class Loop;

/// Loop thread only.
class Timers {
  public:
    Timers(Loop& loop, Clock& clock);
    Timers(const Timers&) = delete;

    /// Ends after `span`, or early with the Cancel's reason.
    Task<Result<void>> sleep(Duration span, Cancel& cancel);
    /// Runs what is due by the clock. The uv_timer calls it; a test calls it after advance().
    void fire_due();
    /// When the next one is due; Instant::max() when none is armed.
    Instant next_due() const { return due_.empty() ? Instant::max() : due_.begin()->first.first; }
    void close();

    /// Runs `callback` once, `span` from now; dropping the Alarm disarms it.
    class Alarm {
      public:
        explicit Alarm(Timers& timers) : timers_(timers) {}
        Alarm(const Alarm&) = delete;
        ~Alarm() { disarm(); }
        void arm(Duration span, std::function<void()> callback);
        void disarm();
        bool armed() const { return armed_; }

      private:
        friend class Timers;
        Timers& timers_;
        std::pair<Instant, std::uint64_t> key_;
        bool armed_ = false;
    };

  private:
    struct Entry {
        Alarm* alarm;
        std::function<void()> callback;
    };
    void rearm();
    Loop& loop_;
    Clock& clock_;
    UvOwner<uv_timer_t> timer_;
    std::map<std::pair<Instant, std::uint64_t>, Entry> due_;
    std::uint64_t next_ = 0;
};

/// Requests `cancel` with `timeout` when `span` has passed. This is with_timeout: give the work a
/// Cancel of its own, put a Deadline on it.
class Deadline {
  public:
    /// A span of zero means no deadline.
    Deadline(Timers& timers, Cancel& cancel, Duration span);

  private:
    Timers::Alarm alarm_;
};

}  // namespace musher
