// TimerMemory: what a timer knows after a restart: up to which due time it is done.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "reactor/base/error.h"

namespace musher::timer {

/// One small file, replaced as a whole. Pool threads.
class TimerMemory {
  public:
    /// `file` empty: nothing is kept. What was written for another `schedule` does not count: its
    /// due times were none when the clock went past them.
    TimerMemory(std::string file, std::string schedule)
        : file_(std::move(file)), schedule_(std::move(schedule)) {}

    bool keeps() const { return !file_.empty(); }
    /// Milliseconds since 1970; nothing when the timer starts for the first time.
    Result<std::optional<std::int64_t>> read() const;
    /// On the disk when it returns. kill -9 before: the older time stands there, and what has fired
    /// since fires again, under the ids that the queue knows.
    Result<void> write(std::int64_t last_ms) const;

  private:
    const std::string file_;
    const std::string schedule_;
};

}  // namespace musher::timer
