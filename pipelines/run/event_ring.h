// EventRing: the last things that happened in this process, for whoever listens.
#pragma once

#include <functional>
#include <list>
#include <string>
#include <string_view>
#include <vector>

#include "reactor/base/clock.h"

namespace musher {

/// Everything but kind and state may be empty. Strings of a slot keep their memory.
struct Happening {
    enum class Kind { job, pipeline, edit };
    Kind kind = Kind::job;
    std::string_view state;  // of the job, or what became of the pipeline; static
    std::int64_t time_ms = 0;
    int attempt = 0;
    std::string pipeline;
    std::string job;
    std::string name;  // of the job's file, or the configuration's
    std::string step;
    std::string reason;
    std::string line;  // as JSON, once somebody has asked for it
};
std::string_view kind_name(Happening::Kind kind);

/// Bounded, shared by all listeners: a slow one costs no memory, it misses what is overwritten.
/// Nothing is kept before somebody listens for the first time. Loop thread only.
class EventRing {
  public:
    static constexpr std::size_t kSize = 4096;

    explicit EventRing(const Clock& clock) : clock_(clock), epoch_ms_(clock.wall_ms()) {}

    bool deaf() const { return slots_.empty(); }
    /// The slot to fill in, all text empty. Not while deaf.
    Happening& add(Happening::Kind kind, std::string_view state, const std::string& pipeline);

    /// Events are numbered from 0 on; first() … next() - 1 are there.
    std::uint64_t first() const { return next_ < kSize ? 0 : next_ - kSize; }
    std::uint64_t next() const { return next_; }
    const Happening& at(std::uint64_t number) const { return slots_[number % kSize]; }
    /// One line of JSON: {type, time, pipeline, state, job, attempt, name, step, reason}.
    const std::string& line(std::uint64_t number);
    /// Tells events of this process from those of an earlier one.
    std::string id(std::uint64_t number) const;
    /// The number after the event called `id`; nothing for one of another process, or for none.
    std::optional<std::uint64_t> after(std::string_view id) const;

    /// Hears that there is something new, once for each time it asked. `on_news` runs before the
    /// event is whole: it posts and returns.
    class Listener {
      public:
        Listener(EventRing& ring, std::function<void()> on_news);
        Listener(const Listener&) = delete;
        ~Listener();
        void ask() { asks_ = true; }

      private:
        friend class EventRing;
        EventRing& ring_;
        std::function<void()> on_news_;
        bool asks_ = false;
        std::list<Listener*>::iterator place_;
    };
    std::size_t listeners() const { return listeners_.size(); }

  private:
    const Clock& clock_;
    std::int64_t epoch_ms_;
    std::uint64_t next_ = 0;
    std::vector<Happening> slots_;
    std::list<Listener*> listeners_;
};

}  // namespace musher
