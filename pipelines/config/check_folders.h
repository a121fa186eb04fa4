// Folders that feed themselves: a sink that writes where a hot folder reads.
#pragma once

#include <vector>

#include "pipelines/config/pipeline_file.h"

namespace musher {

/// Reports cycles of sinks and hot folders (directly or through other pipelines) and two hot
/// folders on one path. Only static paths are known here; hop counts catch the rest at run time.
void check_folders(const std::vector<PipelineConfig>& pipelines, std::vector<Problem>& problems);

}  // namespace musher
