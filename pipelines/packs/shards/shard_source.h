// Which source a shard on the SSD was copied from, and whether there is room for another.
#pragma once

#include <string>

#include "pipelines/packs/shards/shard_spot.h"
#include "reactor/tree/tree_measure.h"

namespace musher {

/// The attribute of a shard on the SSD that names its source. What the script of old has copied,
/// and what lies on a file system without attributes, has none.
inline constexpr const char* kSourceAttribute = "user.musher.source";
/// The path that was given for it, absolute, where it leads through links that may move on.
inline constexpr const char* kGivenAttribute = "user.musher.given";
/// "NAME:INODE" of the folder that was given it: `cp -a`, `rsync -X` and mv take attributes along,
/// and what they make is not that folder under that name.
inline constexpr const char* kShardAttribute = "user.musher.shard";

// Blocking, for pool threads.

/// "" where it is not known.
std::string source_of(const std::string& target);
/// Best effort: the source, and that this folder is the shard of that name.
void set_source(int target, const ShardSpot& spot);
/// Whether what lies there was made, or taken over, as the shard of that name: the rest is
/// somebody's.
bool is_own(const ShardSpot& spot);
/// Whether the shard's name on the SSD is taken; `conflict` when by no folder, `usage` when the
/// source is what lies there, or a folder in it.
Result<bool> is_on_ssd(const ShardSpot& spot);
/// `conflict` when what is on the SSD is known to be a copy of another source; as the file system
/// says when the source is no folder.
Result<void> check_source(const ShardSpot& spot);
/// The same before a removal: a path leads to what is to be taken off, so that it must be no other
/// source than the one copied, as long as both are there to be told apart. The path that was
/// given for the copy is that of its users, wherever it leads now.
Result<void> check_removal(const ShardSpot& spot);
/// `full`, unless the SSD has room for what was measured or can share the blocks of the source.
Result<void> check_room(const ShardSpot& spot, const TreeMeasure& measure, int draft);

}  // namespace musher
