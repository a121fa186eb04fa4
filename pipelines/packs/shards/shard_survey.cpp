#include "pipelines/packs/shards/shard_survey.h"

#include <sys/stat.h>

#include <filesystem>
#include <map>
#include <optional>

#include "pipelines/packs/shards/shard_source.h"
#include "reactor/base/text.h"
#include "reactor/loop/offload.h"

namespace musher {

namespace {
namespace fs = std::filesystem;
constexpr std::string_view kSuffix = ".lock";

/// Names in a folder.
Result<std::vector<std::string>> names_in(const std::string& folder) {
    std::vector<std::string> names;
    std::error_code failed;
    for (fs::directory_iterator at(folder, failed), end; !failed && at != end;
         at.increment(failed)) {
        names.push_back(at->path().filename().string());
    }
    if (failed) return fail(errno_error(failed.value(), "reading " + escape_name(folder)));
    return names;
}

bool is_folder(const std::string& path) {
    struct stat info{};
    return ::lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

using Inode = std::pair<dev_t, ino_t>;
std::optional<Inode> inode_of(const std::string& path) {
    struct stat info{};
    if (::lstat(path.c_str(), &info) != 0) return std::nullopt;
    return Inode(info.st_dev, info.st_ino);
}

Result<ShardRow> look_at(const ShardPlaces& places, const std::string& name, bool registered) {
    MUSHER_TRY(const ShardSpot spot, find_spot(name, places.lock_dir, places.ssd_dir));
    ShardRow row;
    row.name = name;
    const std::string lock = spot.lock_path();
    if (registered) {
        Result<std::vector<std::string>> users = ShardLock::users_of(lock);
        if (users) {
            row.users = std::move(*users);
            row.busy = ShardLock::is_held(lock);
        } else if (const Errc code = users.error().code;
                   code != Errc::not_found && code != Errc::conflict) {
            row.fault = std::move(users).error();
        }
    }
    const bool there = is_folder(spot.target());
    if (there) row.source = source_of(spot.target());
    row.own = there && is_own(spot);
    if (!there) row.state = ShardState::missing;
    if (there && row.users.empty() && !row.fault) row.state = ShardState::orphan;
    return row;
}
}  // namespace

std::string_view state_name(ShardState state) {
    switch (state) {
        case ShardState::present:
            return "present";
        case ShardState::missing:
            return "missing";
        case ShardState::orphan:
            return "orphan";
    }
    MUSHER_CHECK(false);
}

Result<std::vector<ShardRow>> survey_shards(const ShardPlaces& places) {
    std::map<std::string, bool> names;  // and whether there is a lock file
    MUSHER_TRY(const std::vector<std::string> locks, names_in(places.lock_dir));
    for (const std::string& name : locks) {
        if (name.size() <= kSuffix.size() || !name.ends_with(kSuffix)) continue;
        names[name.substr(0, name.size() - kSuffix.size())] = true;
    }
    MUSHER_TRY(const std::vector<std::string> folders, names_in(places.ssd_dir));
    for (const std::string& name : folders) names.try_emplace(name, false);
    std::vector<ShardRow> rows;
    for (const auto& [name, registered] : names) {
        if (!find_spot(name, places.lock_dir, places.ssd_dir)) continue;
        MUSHER_TRY(ShardRow row, look_at(places, name, registered));
        const bool shard = !row.users.empty() || row.fault || row.busy || row.own;
        if (shard) rows.push_back(std::move(row));
    }
    return rows;
}

Result<ShardRow> survey_shard(const ShardPlaces& places, const std::string& name) {
    MUSHER_TRY(ShardRow row, look_at(places, name, true));
    if (row.state == ShardState::missing && row.users.empty() && !row.fault && !row.busy) {
        return fail(Errc::not_found, escape_name(name) + " is neither registered in " +
                                         escape_name(places.lock_dir) + " nor in " +
                                         escape_name(places.ssd_dir));
    }
    return row;
}

Task<Result<TreeComparison>> check_shard(Loop& loop, const ShardPlaces& places, ShardRow row,
                                         std::string source, TreeCompareOptions options,
                                         Cancel& cancel) {
    if (source.empty()) source = row.source;
    if (source.empty()) {
        co_return fail(Errc::not_found, "the source of " + escape_name(row.name) + " is not known",
                       "name it: musher shard verify /path/to/" + escape_name(row.name));
    }
    const std::string target = (fs::path(places.ssd_dir) / row.name).string();
    const auto which = [&target] { return inode_of(target); };
    const std::optional<Inode> before = co_await offload(loop, which);
    Result<TreeComparison> found =
        co_await compare_trees(loop, std::move(source), target, std::move(options), cancel);
    if (found && found->differences == 0) co_return found;
    const std::optional<Inode> after = co_await offload(loop, which);
    if (!after) co_return fail(Errc::not_found, escape_name(target) + " is no longer there");
    if (before == after) co_return found;
    co_return fail(Errc::conflict, escape_name(target) + " was replaced while it was compared",
                   "verify it again");
}

}  // namespace musher
