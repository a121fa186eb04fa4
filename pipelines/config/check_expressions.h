// Compiles every expression of a pipeline and evaluates it on its source's sample event.
#pragma once

#include <vector>

#include "pipelines/config/daemon_file.h"
#include "pipelines/config/pipeline_file.h"

namespace musher {

/// Faults are placed where the expression stands. Nothing outside is touched.
void check_expressions(const PipelineConfig& config, const DaemonConfig& daemon,
                       std::vector<Problem>& problems);

}  // namespace musher
