// What a Reactor says of itself to who measures it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pipelines/queue/job_queue.h"
#include "pipelines/run/tally.h"

namespace musher {

struct PipelineMeasures {
    std::string name;
    const Tally::Counts* counts = nullptr;  // of the Reactor
    std::size_t in_flight = 0;              // attempts under way in this process
    int revision = 0;
    bool well = true;   // nothing of it is in /health
    bool held = false;  // a sink is broken
    bool paused = false;
    bool edit_refused = false;        // its file is at fault: the last good revision runs
    std::optional<QueueStats> queue;  // of all reactors; nothing: no answer in time
};

/// A server that is used.
struct Reach {
    std::string connection;  // of musher.yml; empty: what `queue` says
    std::string name;        // a queue's server: its address, without secrets; else its kind
    std::string trouble;     // empty: it works, as far as known
};

struct Measures {
    std::vector<PipelineMeasures> pipelines;
    std::vector<Reach> queues;
    std::vector<Reach> connections;  // of musher.yml, that steps have used
    std::size_t refused_files = 0;   // edits at fault now
    std::uint64_t refusals = 0;      // … since the start
};

}  // namespace musher
