// TimeLapse: hours of waiting in no time, for what runs on a ManualClock.
#pragma once

#include <functional>

#include "reactor/base/clock.h"
#include "reactor/loop/uv_owner.h"

namespace musher {

class Loop;

/// Whenever nothing but timers is left to wait for (no pool work, no child, no socket), moves the
/// loop's clock to the next of them. Loop thread only; destroy it before the loop is closed.
class TimeLapse {
  public:
    /// `leapt` is called after each leap. Once `patience` has passed by the real clock, `tired` is
    /// called, and from then on the clock leaps whatever else is under way, so that what waits for
    /// a deadline meets it.
    TimeLapse(Loop& loop, ManualClock& clock, Duration patience, std::function<void()> leapt,
              std::function<void()> tired);
    TimeLapse(const TimeLapse&) = delete;
    ~TimeLapse();

  private:
    void look();
    bool others_work() const;

    Loop& loop_;
    ManualClock& clock_;
    std::function<void()> leapt_;
    std::function<void()> tired_;
    UvOwner<uv_prepare_t> look_;
    UvOwner<uv_timer_t> patience_;
    bool is_tired_ = false;
};

}  // namespace musher
