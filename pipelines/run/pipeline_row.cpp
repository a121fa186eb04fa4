#include "pipelines/run/pipeline_row.h"

namespace musher {

Json pipeline_row(const std::string& name, const std::string& state, Json source,
                  const QueueStats& counts, const std::string& problem) {
    return Json{{"name", name},
                {"state", state},
                {"revision", 0},
                {"source", std::move(source)},
                {"waiting", counts.waiting},
                {"delayed", counts.delayed},
                {"running", counts.running},
                {"done", counts.done},
                {"dead", counts.dead},
                {"oldest_ms", counts.oldest_ms},
                {"held", nullptr},
                {"problem", problem.empty() ? Json(nullptr) : Json(problem)}};
}

}  // namespace musher
