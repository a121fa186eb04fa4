#include "pipelines/run/surroundings.h"

namespace musher {

Json body_view(const Body& body) {
    Json view{{"size", body.size}};
    if (!body.sha256.empty()) view["sha256"] = body.sha256;
    return view;
}

Json make_bindings(const Surroundings& around, const Event& event, Json job, Json steps,
                   const Body& body) {
    Json bindings = Json::object();
    bindings["event"] = event.view();
    bindings["job"] = std::move(job);
    bindings["steps"] = std::move(steps);
    bindings["body"] = body_view(body);
    bindings["env"] = around.environment;
    bindings["vars"] = around.vars;
    bindings["now"] = format_time(around.loop.clock().wall_ms());
    return bindings;
}

}  // namespace musher
