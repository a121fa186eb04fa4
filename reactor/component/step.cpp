#include "reactor/component/step.h"

#include "reactor/base/clock.h"

namespace musher {

Json Receipt::to_json() const {
    Json all = extra;
    all.update(Json{{"step", step},
                    {"sink", sink},
                    {"target", target},
                    {"bytes", bytes},
                    {"sha256", sha256},
                    {"time", format_time(time_ms)}});
    return all;
}

Task<Faults> Step::probe(const StepProbe&, const Options&) { co_return Faults(); }

Task<Result<StepResult>> Step::run_filtered(StepContext&, const Options&,
                                            std::vector<std::unique_ptr<Filter>>&) {
    MUSHER_CHECK(false && "only sinks with takes_filters() get filters");
    co_return fail(Errc::internal, "not a sink that takes filters");
}

}  // namespace musher
