// timer: events at times that come by themselves.
//
// An event's id is made from the pipeline and the due time, so several reactors, and one that was
// killed between two steps, make one job of it. What the wall clock does meanwhile:
// - It is set forward, the machine slept, or the queue was full: of all due times that have passed,
//   the latest fires (`missed: once`) or none does (`skip`). Never more than one.
// - It is set back by less than a minute: the timer waits until the clock is where it was. By more:
//   it starts anew from there. Due times that had fired are no-ops for the queue, others fire.
#pragma once

#include "reactor/component/source.h"
#include "reactor/task/doorbell.h"
#include "sources/schedule.h"
#include "sources/timer_memory.h"

namespace musher {

const Spec& timer_spec();
Result<std::unique_ptr<Source>> make_timer(const Options& options, const SourceContext& context);

namespace timer {

/// What to do about due times that passed while nothing fired.
enum class Missed { once, skip };

/// Has at most one event on its way. Loop thread only.
class Timer final : public Source {
  public:
    Timer(Schedule schedule, Missed missed, const SourceContext& context);

    Task<Result<void>> run(Cancel& stop) override;
    void pause(PauseReason why) override;
    void resume() override;
    Task<Result<void>> settle(std::vector<Settlement>& ended, Cancel& cancel) override;
    void recheck() override;
    Json status() const override;
    Task<std::vector<Problem>> probe(Cancel& cancel) override;

  private:
    struct Sent;
    enum class Answer { none, stored, needless, rejected };

    Task<void> remember();
    Task<void> save();
    Task<Result<void>> turn(Cancel& stop);
    Task<Result<void>> fire(Firing firing, Cancel& stop);
    Task<Result<void>> deliver(Event event, Cancel& stop);
    Task<Result<void>> bring_lost(Cancel& stop);
    Task<Result<void>> rest(std::int64_t until_ms, Cancel& stop);
    Result<Event> event_of(std::int64_t due_ms) const;
    void follow_clock(std::int64_t now_ms);
    void set_trouble(std::string trouble);

    const Schedule schedule_;
    const Missed missed_;
    const SourceContext context_;
    const TimerMemory memory_;
    Doorbell bell_;
    std::int64_t last_ms_ = 0;      // up to this due time all is done
    std::optional<Firing> next_;    // for status
    Answer answer_ = Answer::none;  // to the event that is on its way
    std::optional<Event> stored_;   // the last one, while the queue may forget it
    Instant stored_at_;
    std::optional<PauseReason> paused_;
    bool starting_ = true;  // or paused until now
    bool unsaved_ = false;
    bool doubtful_ = false;  // whether the queue still has `stored_`
    std::string trouble_;    // no event can be made
    std::string forgetful_;  // last_ms_ cannot be kept
};

}  // namespace timer
}  // namespace musher
