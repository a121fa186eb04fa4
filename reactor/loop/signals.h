// SIGTERM, SIGINT and SIGHUP as callbacks; SIGPIPE and lease breaks made harmless.
#pragma once

#include <functional>
#include <vector>

#include "reactor/loop/loop.h"

namespace musher {

/// Ignores SIGPIPE and SIGIO (a lease break kills by default). Call first in main.
void ignore_harmless_signals();

/// Watches signals until dropped. Does not keep the loop alive.
class Signals {
  public:
    Signals(Loop& loop, const std::vector<int>& numbers, std::function<void(int)> on_signal);

  private:
    struct State {
        Loop* loop;
        std::function<void(int)> on_signal;
    };
    std::unique_ptr<State> state_;
    std::vector<UvOwner<uv_signal_t>> handles_;
};

}  // namespace musher
