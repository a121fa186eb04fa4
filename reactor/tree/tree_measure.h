// How much is in a tree, found by several threads.
#pragma once

#include "reactor/tree/crew.h"
#include "reactor/tree/tree_totals.h"

namespace musher {

struct TreeMeasure {
    TreeTotals totals;
    std::uint64_t inodes = 0;  // files, folders and links; of hard links one
    std::uint64_t state = 0;   // of all inodes, sizes and times: another one after a change
    std::string sample;        // path of a file with content; empty: there is none
};

/// Counts what is below the folder `path`; opens folders only, so that a file that cannot be read
/// is counted too. What goes meanwhile is a `conflict`.
Task<Result<TreeMeasure>> measure_tree(Loop& loop, std::string path, CrewOptions options,
                                       Cancel& cancel);

}  // namespace musher
