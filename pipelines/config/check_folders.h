// Files that would go round in circles, or to either of two pipelines.
#pragma once

#include <vector>

#include "pipelines/config/daemon_file.h"
#include "pipelines/config/pipeline_file.h"

namespace musher {

/// Looks at all pipelines together: at the folders that their sources watch and that their steps
/// write to, as far as those are known before any event. Reported are
/// - a circle: what a pipeline writes comes back to it, directly or through others;
/// - two pipelines that watch one folder and would both take the same file.
void check_folders(const std::vector<PipelineConfig>& pipelines, std::vector<Problem>& problems);

/// Reports a watch that would take what musher itself reads and writes: the files of pipelines,
/// musher.yml, the log and the state folder; of a `daemon` that has no file only the first.
void check_own_files(const DaemonConfig& daemon, const std::vector<PipelineConfig>& pipelines,
                     std::vector<Problem>& problems);

}  // namespace musher
