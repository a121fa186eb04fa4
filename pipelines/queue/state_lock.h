// One musher per state directory.
#pragma once

#include <string>

#include "reactor/base/fd.h"

namespace musher {

/// Holds `<state>/lock` until dropped, also when the process is killed (flock). The file stays and
/// names the holder's pid.
class StateLock {
  public:
    enum class Holder { reactor, verb };
    /// Makes the directory (0700) when there is none. `conflict` naming the holder's pid. Blocking,
    /// for up to a second after a kill: call it before the loop has work.
    static Result<StateLock> take(const std::string& state, Holder as = Holder::reactor);
    /// Whether the last one who took it is a verb, which lets go in a moment.
    static bool verb_holds(const std::string& state);

  private:
    explicit StateLock(Fd file) : file_(std::move(file)) {}
    Fd file_;  // close-on-exec: children must not hold it
};

}  // namespace musher
