// Copies a tree of files with several threads: content, holes, hard links, symbolic links as they
// are, owners, modes, times, extended attributes and ACLs.
#pragma once

#include "reactor/base/fd.h"
#include "reactor/tree/crew.h"
#include "reactor/tree/tree_totals.h"

namespace musher {

struct TreeCopyOptions {
    CrewOptions crew = {};
    std::function<void(const TreeTotals&)> on_progress = {};  // many times a second
};

/// Fills `to`, an empty folder that nobody else touches, with what is in `from`, and gives it the
/// attributes of `from`. Works from descriptor to descriptor and follows no link, so that whoever
/// changes the source meanwhile leads it nowhere else; sees that something changed, or is gone, and
/// fails with `conflict`; `not_found` is for `from` itself. Sockets, pipes and devices are left out
/// and counted. A name under which another file system is mounted is copied with what is there.
/// Syncs nothing. On failure `to` holds a part.
Task<Result<TreeTotals>> copy_tree(Loop& loop, std::string from, Fd to, TreeCopyOptions options,
                                   Cancel& cancel);

}  // namespace musher
