// The tree of a pipeline file → PipelineConfig.
#pragma once

#include <string>
#include <vector>

#include "pipelines/config/daemon_file.h"
#include "pipelines/config/pipeline_file.h"
#include "pipelines/config/yaml.h"

namespace musher {

struct Catalogue;

/// What the reading of one file leans on; all of it outlives the call.
struct Reading {
    const Catalogue& catalogue;
    const DaemonConfig* daemon = nullptr;  // null: no musher.yml known, nor connections and vars
    std::vector<Problem>& problems;
    Secrets secrets = Secrets::read;  // leave: nothing that only this machine has is judged
    int depth = 0;  // of steps in steps
};

/// `root`: the tree of the file at the absolute path `file`. Faults go to reading.problems, and
/// the result is good for running only if none was an error. Expressions are not looked at.
PipelineConfig read_pipeline_tree(const Value& root, const std::string& file,
                                  const Reading& reading);

}  // namespace musher
