#include "pipelines/run/pipeline_row.h"

namespace musher {

namespace {
/// Since the queue was made; the history forgets.
std::uint64_t ended(const QueueStats& counts) {
    return size_in(counts.counters, "done") + size_in(counts.counters, "dead");
}
}  // namespace

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
                {"ended", ended(counts)},
                {"oldest_ms", counts.oldest_ms},
                {"held", nullptr},
                {"problem", problem.empty() ? Json(nullptr) : Json(problem)}};
}

}  // namespace musher
