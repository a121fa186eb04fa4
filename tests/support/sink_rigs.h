// What a sink needs to pass the battery of sink_conformance_test: its outside world. A new sink
// adds its rig to sink_rigs() and gets every case.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "reactor/component/step.h"

namespace musher::test {

/// Blocking, but for start() and stop(); one rig for one case. A job's body and its event's name
/// are one word: that word is what the sink has to deliver.
class SinkRig {
  public:
    virtual ~SinkRig() = default;
    virtual std::string yaml() const = 0;  // its options
    virtual Connections connections() const { return {}; }
    /// On the case's loop, before and after everything else.
    virtual Task<void> start(Loop&) { co_return; }
    virtual Task<void> stop() { co_return; }

    /// The words that arrived, each as often as it did.
    virtual std::vector<std::string> arrived() const = 0;
    /// The outside world goes away (server killed, folder unmounted), and is there again.
    virtual void take_away() = 0;
    virtual void bring_back() = 0;
    /// It takes what is sent and answers nothing, until wake(); false where that cannot be.
    virtual bool hang() { return false; }
    virtual void wake() {}
};

struct NamedSinkRig {
    const StepEntry* entry;
    std::unique_ptr<SinkRig> (*make)();
};
const std::vector<NamedSinkRig>& sink_rigs();

}  // namespace musher::test
