// Holds a copy against its original: names, kinds, sizes, digests.
#pragma once

#include <string>
#include <vector>

#include "reactor/tree/tree_copy.h"

namespace musher {

struct TreeComparison {
    TreeTotals totals;  // of what was compared
    std::uint64_t differences = 0;
    std::uint64_t extra = 0;             // of them: names that the copy alone has
    std::vector<std::string> differing;  // "a/b: is missing", the first 100
};

struct TreeCompareOptions : TreeCopyOptions {
    bool trust_times = false;  // files of the same size and mtime are taken as the same
};

/// Reads both sides; the copy from its disk, not from what is still in memory. Owners, modes and
/// times are not compared. A copy that cannot be read is a fault, no difference. What goes from the
/// original meanwhile is a `conflict`. Sockets, pipes and devices of the original need no copy.
Task<Result<TreeComparison>> compare_trees(Loop& loop, std::string original, std::string copy,
                                           TreeCompareOptions options, Cancel& cancel);

}  // namespace musher
