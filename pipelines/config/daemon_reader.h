// The tree of a musher.yml → DaemonConfig.
#pragma once

#include <string>
#include <vector>

#include "pipelines/config/daemon_file.h"

namespace musher {

/// `root`: the tree of the file at the absolute path `file`. Faults are appended to `problems`;
/// what is faulty keeps its default, so that the pipelines can be checked all the same.
DaemonConfig read_daemon_tree(const Value& root, const std::string& file,
                              std::vector<Problem>& problems);

/// Whether a tree is a musher.yml and no pipeline, by its keys.
bool is_daemon_tree(const Value& root);

}  // namespace musher
