// What killed processes left, and shards that nobody uses.
#include <filesystem>

#include "pipelines/packs/shards/shard_source.h"
#include "pipelines/packs/shards/shard_survey.h"
#include "reactor/base/text.h"
#include "reactor/loop/offload.h"
#include "reactor/tree/tree_draft.h"
#include "reactor/tree/tree_remove.h"

namespace musher {

namespace {
namespace fs = std::filesystem;

/// `.NAME.lock.tmp.…` → NAME; a lock file without content → its name. Others → "".
std::string shard_of(const fs::path& file) {
    const std::string name = file.filename().string();
    std::error_code failed;
    if (!fs::is_regular_file(fs::symlink_status(file, failed))) return "";
    std::string shard = shard_of_temporary(name);
    if (!shard.empty()) return shard;
    const bool empty = name.ends_with(".lock") && fs::file_size(file, failed) == 0 && !failed;
    return empty ? name.substr(0, name.size() - 5) : "";
}

class GarbageCollection {
  public:
    GarbageCollection(Loop& loop, ShardPlaces places, bool dry, Cancel& cancel)
        : loop_(loop), places_(std::move(places)), dry_(dry), cancel_(cancel) {}

    Task<Result<void>> trees() {
        auto find = [this] { return find_leftovers(places_.ssd_dir, ""); };
        MUSHER_CO_TRY(const std::vector<NamelessTree> left, co_await offload(loop_, find));
        for (const NamelessTree& tree : left) {
            if (cancel_.requested()) co_return fail(cancel_.error());
            Result<void> gone = check_open(tree);
            if (gone) gone = co_await remove(tree.path);
            note(std::move(gone), tree.path, found.trees);
        }
        co_return Result<void>();
    }

    Task<Result<void>> files() {
        auto work = [this]() -> Result<void> {
            std::error_code failed;
            std::vector<std::pair<std::string, std::string>> candidates;  // file, shard
            for (fs::directory_iterator at(places_.lock_dir, failed), end; !failed && at != end;
                 at.increment(failed)) {
                std::string shard = shard_of(at->path());
                if (!shard.empty()) candidates.emplace_back(at->path().string(), std::move(shard));
            }
            if (failed) return fail(errno_error(failed.value(), "reading " + places_.lock_dir));
            for (const auto& [file, shard] : candidates) sweep(file, shard);
            return {};
        };
        co_return co_await offload(loop_, work);
    }

    Task<Result<void>> orphans() {
        auto survey = [this] { return survey_shards(places_); };
        MUSHER_CO_TRY(const std::vector<ShardRow> rows, co_await offload(loop_, survey));
        for (const ShardRow& row : rows) {
            if (row.fault) note(fail(*row.fault), row.name, found.orphans);
            const bool removable = row.state == ShardState::orphan && row.own;
            if (cancel_.requested()) co_return fail(cancel_.error());
            if (removable) co_await orphan(row.name);
        }
        co_return Result<void>();
    }

    ShardGarbage found;

  private:
    void note(Result<void> done, const std::string& what, std::vector<std::string>& removed) {
        if (done) removed.push_back(what);
        if (!done) found.faults.push_back(std::move(done).error());
    }
    /// Whoever holds the lock has swept, and leaves no file without users. A first user's file is
    /// empty for as long as its shard is copied, and held.
    void sweep(const std::string& file, const std::string& shard) {
        const Result<ShardSpot> spot = find_spot(shard, places_.lock_dir, places_.ssd_dir);
        if (!spot) return;
        if (dry_) {
            if (!ShardLock::is_held(spot->lock_path())) found.files.push_back(file);
            return;
        }
        Result<std::optional<ShardLock>> lock = ShardLock::try_take(*spot);
        if (!lock && lock.error().code == Errc::conflict) return;
        // Somebody copies to it, and its file is not ours to open.
        if (!lock && ShardLock::is_held(spot->lock_path())) return;
        if (!lock) {
            found.faults.push_back(std::move(lock).error());
            return;
        }
        if (!*lock) return;
        (*lock)->release();
        const bool same = !shard_of(file).empty();
        if (!same || ShardLock::is_held(spot->lock_path())) {
            found.files.push_back(file);
        } else {
            found.faults.emplace_back(Errc::denied, escape_name(file) + " may not be removed");
        }
    }
    Task<Result<void>> remove(std::string path) {
        if (dry_) co_return Result<void>();
        co_return co_await remove_tree(loop_, std::move(path), CrewOptions(), cancel_);
    }
    Task<void> orphan(std::string name) {
        if (dry_) {
            found.orphans.push_back(std::move(name));
            co_return;
        }
        std::vector<NamelessTree> trash;
        auto take_away = [&]() -> Result<void> {
            MUSHER_TRY(const ShardSpot spot, find_spot(name, places_.lock_dir, places_.ssd_dir));
            Result<std::optional<ShardLock>> taken_lock = ShardLock::try_take(spot);
            if (!taken_lock && taken_lock.error().code == Errc::conflict) return {};
            MUSHER_TRY(std::optional<ShardLock> lock, std::move(taken_lock));
            if (!lock) return {};  // somebody is about to use it
            Result<void> done;
            if (lock->users().empty() && is_own(spot)) {
                Result<NamelessTree> taken = make_trash(places_.ssd_dir, name);
                if (taken) trash.push_back(std::move(*taken));
                if (!taken) done = fail(std::move(taken).error());
            }
            lock->release();
            return done;
        };
        Result<void> done = co_await offload(loop_, take_away);
        if (done && trash.empty()) co_return;
        if (done) done = co_await remove(trash.front().path);
        note(std::move(done), name, found.orphans);
    }

    Loop& loop_;
    ShardPlaces places_;
    bool dry_;
    Cancel& cancel_;
};
}  // namespace

Task<Result<ShardGarbage>> collect_shard_garbage(Loop& loop, ShardPlaces places, bool orphans,
                                                 bool dry, Cancel& cancel) {
    GarbageCollection collection(loop, std::move(places), dry, cancel);
    MUSHER_CO_DO(co_await collection.files());
    MUSHER_CO_DO(co_await collection.trees());
    if (orphans) MUSHER_CO_DO(co_await collection.orphans());
    co_return std::move(collection.found);
}

}  // namespace musher
