// One claimed job in a dispatcher's hands.
#pragma once

#include "pipelines/run/dispatcher.h"

namespace musher {

struct Dispatcher::Slot {
    Slot(Claim taken, Cancel& parent) : claim(std::move(taken)), cancel(parent) {}
    Claim claim;
    Cancel cancel;
    Json progress = nullptr;
    bool running = false;
    bool stolen = false;       // our lease ran out and another has it: say nothing more
    bool cancelled = false;    // somebody asked for it
};

}  // namespace musher
