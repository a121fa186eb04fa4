// Compiles every expression of a pipeline and evaluates it on samples.
#pragma once

#include <vector>

#include "pipelines/config/daemon_file.h"
#include "pipelines/config/pipeline_file.h"

namespace musher {

/// What does not compile, an unknown field and a `when` that is neither true nor false are errors,
/// placed where they stand in the YAML; what only fails on the sample is a warning. `daemon` may
/// be null: then env and vars are not judged.
void check_expressions(const PipelineConfig& pipeline, const DaemonConfig* daemon,
                       std::vector<Problem>& problems);

}  // namespace musher
