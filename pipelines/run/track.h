// Track: one line of steps, one after the other, and what it has come to.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pipelines/queue/job.h"
#include "pipelines/run/program.h"
#include "pipelines/run/surroundings.h"
#include "reactor/component/step.h"

namespace musher {

/// What a control step around has decided and no receipt says yet. It is stored before the first
/// lasting effect inside: until then another attempt may decide anew.
struct Pin {
    Pin* outer = nullptr;
    Receipt note;
    bool stored = false;
};

/// Where a fault came from; the innermost step.
struct Blame {
    std::string place;
    Duration took{0};    // of its step
    std::string sink;    // its id, when what it reaches out to is broken and not the item
    bool asked = false;  // that one is no sink but asks a server: a `try` passes it over
    bool queue = false;  // the receipt could not be stored: nothing that a `try` may pass over
    bool left = false;   // nobody's fault: it waited, and musher stops
};

/// The job's own, or a branch's of a `parallel`. Lives in the frame that runs it. Loop thread only.
struct Track {
    /// Of a job's attempt: nothing has run yet.
    Track(const Surroundings& surroundings, const Claim& claim);
    /// A branch: sees what is here, and works on by itself. No filter is pending.
    Track(const Track& from, Pin* around_it);

    /// What expressions see: of now.
    const Bindings& look();
    Json& outputs() { return view["steps"]; }
    /// Takes from expressions what these steps, and those inside, have given.
    void forget(const std::vector<ProgramStep>& steps);
    /// The pending filters, and the ids of their steps.
    std::vector<std::unique_ptr<Filter>> take_filters(std::vector<std::string>& ids);
    /// What they gave, once the body went through them.
    void note_filters(const std::vector<std::string>& ids,
                      const std::vector<std::unique_ptr<Filter>>& filters);

    struct Pending {  // a filter step that waits for somebody to need the body
        const ProgramStep* step;
        std::unique_ptr<Filter> filter;
    };
    enum class Part { step, outside, queue, stop };  // what a fault is of

    const Surroundings& around;
    Body body;
    Bindings view;
    std::vector<Pending> pending;
    std::string prefix;   // of places: "each[6]." inside the seventh round
    std::string place;    // of the step that runs
    std::string scratch;  // the folder for files that are made now
    Part part = Part::step;
    Pin* pin = nullptr;             // the innermost
    Cancel* whole = nullptr;        // of the outermost `parallel`: what ends a sink that has begun
    Json receipts = Json::array();  // of sinks, since the for_each around began
    bool unproven = false;          // in the round that runs a step went by without a receipt
    bool again = false;             // inside a wait_for, whose steps run again: they leave no trace
    std::optional<Blame> blame;
};

}  // namespace musher
