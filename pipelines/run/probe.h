// A source is tried out before anything depends on it.
#pragma once

#include <vector>

#include "pipelines/run/program.h"
#include "pipelines/run/surroundings.h"

namespace musher {

/// What Source::probe() finds, or why the source cannot be built, at the place of its folder or of
/// its options. Leaves nothing behind; works beside a source of the same place that runs.
Task<std::vector<Problem>> probe_source(const Surroundings& around, const Program& program,
                                        Cancel& patience);

}  // namespace musher
