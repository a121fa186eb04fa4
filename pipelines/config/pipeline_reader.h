// Reads one pipeline file's tree into a PipelineConfig; expressions are checked elsewhere.
#pragma once

#include <string>
#include <vector>

#include "pipelines/config/daemon_file.h"
#include "pipelines/config/pipeline_file.h"

namespace musher {

/// Appends every fault to `problems`; the result is usable only if none of them is an error.
/// `daemon` null: connections are not known and not checked.
PipelineConfig read_pipeline_tree(const Value& tree, const std::string& file,
                                  const DaemonConfig* daemon, std::vector<Problem>& problems);

/// The `fixed` options of a source or step, decoded without its expressions; faults were
/// reported by read_pipeline_tree already.
Options decoded_options(const std::vector<Option>& table, const Value& map);

}  // namespace musher
