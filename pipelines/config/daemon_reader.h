// Reads musher.yml's tree into a DaemonConfig.
#pragma once

#include <string>
#include <vector>

#include "pipelines/config/daemon_file.h"

namespace musher {

/// Appends every fault to `problems`; the result is usable only if none of them is an error.
DaemonConfig read_daemon_tree(const Value& tree, const std::string& file,
                              std::vector<Problem>& problems);

}  // namespace musher
