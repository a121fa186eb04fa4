// Adding a user to a shard, which brings it onto the SSD, and removing one, which may end it there.
#pragma once

#include <functional>

#include "pipelines/packs/shards/shard_lock.h"
#include "reactor/tree/tree_copy.h"

namespace musher {

/// What is told while it happens, in this order.
enum class ShardNote {
    locked,
    copying,   // the first user
    present,   // a further one
    needed,    // removed, and others remain
    removing,  // removed, the last one
    unknown_user,
    released,
};

struct ShardRequest {
    ShardSpot spot;
    std::string user;
    bool verify = false;  // of a copy that is made or taken over: read it and compare digests
    std::chrono::milliseconds timeout{0};  // for the lock; 0: as long as it takes
    TreeCopyOptions copy = {};             // on_progress is told of copying and verifying
    std::function<void(const TreeTotals&)> on_total = {};  // how much there is to copy
    std::function<void(ShardNote)> on_note = {};
    std::function<void(const std::string&)> on_warning = {};  // what killed processes left stays
};

struct ShardOutcome {
    bool changed = false;            // the list of users
    bool copied = false;             // or, of a removal, taken off the SSD
    TreeTotals totals;               // of the copy
    std::vector<std::string> users;  // afterwards
};

/// Registers the user, after the shard lies on the SSD, whole and synced. What lies there already
/// is taken as it is when it has users. Without one it is compared with the source first (names,
/// kinds, sizes, and digests where times differ or `verify` says so) and replaced where it is not
/// the same, unless it has what the source has not and is not our copy of it. On failure nothing is
/// different from before, but that such a folder, which nobody used, may be gone, and for what kill
/// -9 leaves: a draft, trash or a whole shard without a user, for the next one. A source that
/// cannot be read replaces nothing.
///
/// not_found: no shard, no folder. conflict: the name on the SSD is another source's, or the source
/// changed meanwhile. full: before or while it was copied. timeout: of the lock, or the Cancel's
/// reason. denied: as the file system says. corrupt: the digests differ.
Task<Result<ShardOutcome>> add_shard_user(Loop& loop, ShardRequest request, Cancel& cancel);

/// Takes the user off the list. The last one's shard loses its name at once, and its files after
/// the lock was let go. One who is not on the list changes nothing. A bare name, and a source that
/// is gone, are looked at no further; a path is: `usage` when it is what lies on the SSD itself,
/// `conflict` when that is a copy of another folder, or no folder. Nothing is touched then.
Task<Result<ShardOutcome>> remove_shard_user(Loop& loop, ShardRequest request, Cancel& cancel);

/// Waits for the lock without holding up a thread. `timeout` after `timeout`, 0: never.
Task<Result<ShardLock>> take_shard_lock(Loop& loop, const ShardSpot& spot,
                                        std::chrono::milliseconds timeout, Cancel& cancel);

}  // namespace musher
