// Removes a tree of files with several threads.
#pragma once

#include "reactor/tree/crew.h"

namespace musher {

/// Removes the folder `path` and all below it, following no link; what is gone already is no fault.
/// Read-only folders of one's own are made writable first. Syncs nothing.
Task<Result<void>> remove_tree(Loop& loop, std::string path, CrewOptions options, Cancel& cancel);

}  // namespace musher
