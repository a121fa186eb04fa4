// All shards of a folder of lock files and an SSD folder, and what is left there by accident.
#pragma once

#include <optional>

#include "pipelines/packs/shards/shard_use.h"
#include "reactor/tree/tree_compare.h"

namespace musher {

struct ShardPlaces {
    std::string lock_dir;
    std::string ssd_dir;
};

/// present: whole under its name (a half copy of the script of old looks the same, see
/// check_shard) · missing: it has users, and the SSD does not hold it · orphan: on the SSD, without
/// a user.
enum class ShardState { present, missing, orphan };
std::string_view state_name(ShardState state);

struct ShardRow {
    std::string name;
    ShardState state = ShardState::present;
    std::vector<std::string> users;
    std::string source;  // "" where it is not known
    bool busy = false;   // somebody holds its lock now
    std::optional<Error> fault;  // why the users are not known
    bool own = false;    // the folder was made or taken over as this shard; see is_own
};

// Blocking, for pool threads; takes no lock.

/// By name. A folder on the SSD that has no lock file and is not our own is no shard, nor is what
/// bears the name of a lock file and is no file.
Result<std::vector<ShardRow>> survey_shards(const ShardPlaces& places);
/// `not_found` when it is neither registered nor on the SSD.
Result<ShardRow> survey_shard(const ShardPlaces& places, const std::string& name);

/// Holds a shard on the SSD against `source` ("": the one it was copied from; `not_found` where
/// that is not known). Takes no lock: who removes it meanwhile makes it `not_found`, who
/// replaces it a `conflict`.
Task<Result<TreeComparison>> check_shard(Loop& loop, const ShardPlaces& places, ShardRow row,
                                         std::string source, TreeCompareOptions options,
                                         Cancel& cancel);

struct ShardGarbage {
    std::vector<std::string> trees;  // drafts and trash of killed processes
    std::vector<std::string> files;  // of replacing lock files, and lock files without users
    std::vector<std::string> orphans;
    std::vector<Error> faults;  // what stays because it may not be removed
};
/// Removes what killed processes left, and with `orphans` also shards without users that are
/// our own. `dry`: only tells. What somebody works on is left alone; what cannot be
/// removed ends nothing. Fails where one of the folders cannot be read.
Task<Result<ShardGarbage>> collect_shard_garbage(Loop& loop, ShardPlaces places, bool orphans,
                                                 bool dry, Cancel& cancel);

}  // namespace musher
