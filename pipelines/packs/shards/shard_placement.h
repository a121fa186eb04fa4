// One shard's copy from its source onto the SSD, and what is taken off it.
#pragma once

#include "pipelines/packs/shards/shard_use.h"
#include "reactor/tree/tree_draft.h"

namespace musher {

/// Copies, syncs and, if asked to, verifies; then the shard has its name. On failure there is no
/// draft; kill -9 before it has its name leaves one that nobody holds, for the next who comes.
/// Errors as add_shard_user().
Task<Result<TreeTotals>> place_shard(Loop& loop, const ShardRequest& request, Cancel& cancel);

/// Removes them, locks and all; the first failure ends nothing, nor does a Cancel: what has begun
/// to go must go.
Task<Result<void>> discard_trees(Loop& loop, const std::vector<NamelessTree>& trees,
                                 const CrewOptions& crew);
/// What killed processes left. Best effort: nobody waits for it, and another user's may have to
/// stay.
Task<void> sweep_trees(Loop& loop, const ShardRequest& request,
                       const std::vector<NamelessTree>& left);

}  // namespace musher
