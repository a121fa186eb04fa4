// ProgressLine: how far a verb has come: a bar on a terminal, a line now and then elsewhere.
#pragma once

#include <cstdint>
#include <string>

#include "reactor/base/clock.h"

namespace musher {

/// What is shown of one moment; totals of 0: not known.
struct ProgressMoment {
    std::uint64_t bytes = 0, all_bytes = 0;
    std::uint64_t files = 0, all_files = 0;
};

/// "copying shard2 [=====>    ]  52%  1.2GiB of 2.3GiB, 310 of 800 files, 410MiB/s, 3s left".
/// `width`: how many columns there are for it; 0: without the bar.
std::string progress_text(const std::string& what, const ProgressMoment& now, Duration since,
                          int width);

/// Writes to stderr, from two seconds on. Its destructor leaves the terminal's line empty.
class ProgressLine {
  public:
    ProgressLine(const Clock& clock, std::string what);
    ProgressLine(const ProgressLine&) = delete;
    ~ProgressLine();
    /// May be called as often as there is something new.
    void show(const ProgressMoment& now);

  private:
    const Clock& clock_;
    std::string what_;
    bool terminal_;
    bool drawn_ = false;
    Instant began_;
    Instant next_;
};

}  // namespace musher
