// What every job of a process sees and uses beside itself.
#pragma once

#include <functional>
#include <string>

#include "reactor/component/connections.h"
#include "reactor/component/event.h"
#include "reactor/component/step.h"
#include "reactor/loop/loop.h"

namespace musher {

class Teletype;

/// Owned by the Reactor; outlives all jobs.
struct Surroundings {
    Surroundings(Loop& the_loop, const Connections& named, Pool& shared)
        : loop(the_loop), connections(named), pool(shared) {}

    Loop& loop;
    const Connections& connections;
    Pool& pool;                         // live clients that steps share
    Teletype* teletype = nullptr;       // shows stories; may be none
    Json environment = Json::object();  // seen as env
    Json vars = Json::object();
    std::string state;         // the state directory
    std::string scratch_root;  // <state>/scratch
    std::string timezone = "UTC";
    std::string node;  // UUID of this state directory
    /// Told by its id of a step that runs others and has ended well, and its outputs. May be none.
    std::function<void(const std::string& step, const Json& outputs)> on_control;
};

/// The `body` of an expression.
Json body_view(const Body& body);
/// The Bindings of an expression: {event, job, steps, body, env, vars, now}.
Json make_bindings(const Surroundings& around, const Event& event, Json job, Json steps,
                   const Body& body);

}  // namespace musher
