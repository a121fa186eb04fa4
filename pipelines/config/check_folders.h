// Files that would go round in circles, or to either of two pipelines.
#pragma once

#include <vector>

#include "pipelines/config/pipeline_file.h"

namespace musher {

/// Looks at all pipelines together: at the folders that their sources watch and that their steps
/// write to, as far as those are known before any event. Reported are
/// - a circle: what a pipeline writes comes back to it, directly or through others;
/// - two pipelines that watch one folder and would both take the same file.
void check_folders(const std::vector<PipelineConfig>& pipelines, std::vector<Problem>& problems);

}  // namespace musher
