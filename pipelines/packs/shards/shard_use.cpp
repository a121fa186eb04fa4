#include "pipelines/packs/shards/shard_use.h"

#include <random>

#include "pipelines/packs/shards/shard_placement.h"
#include "pipelines/packs/shards/shard_source.h"
#include "reactor/base/text.h"
#include "reactor/loop/offload.h"
#include "reactor/tree/tree_compare.h"

namespace musher {

namespace {

void note(const ShardRequest& request, ShardNote what) {
    if (request.on_note) request.on_note(what);
}

/// What is done under the lock.
class Registration {
  public:
    Registration(Loop& loop, const ShardRequest& request, ShardLock& lock, Cancel& cancel)
        : loop_(loop), request_(request), spot_(request.spot), lock_(lock), cancel_(cancel) {}

    Task<Result<ShardOutcome>> add() {
        MUSHER_CO_TRY(const std::vector<NamelessTree> left, co_await leftovers());
        co_await sweep_trees(loop_, request_, left);
        MUSHER_CO_TRY(const There there, co_await look());
        const bool present = there == There::shard;
        note(request_, present ? ShardNote::present : ShardNote::copying);
        if (there == There::stale) MUSHER_CO_DO(co_await clear());
        if (!present) {
            MUSHER_CO_TRY(outcome_.totals, co_await place_shard(loop_, request_, cancel_));
            outcome_.copied = true;
        }
        // kill -9 here: the shard is whole and nobody uses it; the next user compares it.
        std::vector<std::string> users = lock_.users();
        if (std::find(users.begin(), users.end(), request_.user) == users.end()) {
            users.push_back(request_.user);
            Result<void> written = co_await write(std::move(users));
            if (!written) {
                if (outcome_.copied) co_await undo();
                co_return fail(std::move(written).error());
            }
        }
        co_return done();
    }

    /// `left` and `trash` go when the lock is let go.
    Task<Result<ShardOutcome>> remove(std::vector<NamelessTree>& left,
                                      std::vector<NamelessTree>& trash) {
        auto look = [&] { return is_on_ssd(spot_); };
        const Result<bool> there = co_await offload(loop_, look);
        // A disk that does not answer keeps nobody on the list.
        const Errc fault = there ? Errc::failed : there.error().code;
        if (fault == Errc::usage || fault == Errc::conflict) co_return fail(there.error());
        Result<std::vector<NamelessTree>> found = co_await leftovers();
        if (found) left = std::move(*found);
        std::vector<std::string> users = lock_.users();
        const auto place = std::find(users.begin(), users.end(), request_.user);
        if (place == users.end()) {
            note(request_, ShardNote::unknown_user);
            co_return done();
        }
        auto check = [&] { return check_removal(spot_); };
        MUSHER_CO_DO(co_await offload(loop_, check));
        users.erase(place);
        if (!users.empty()) {
            note(request_, ShardNote::needed);
            MUSHER_CO_DO(co_await write(std::move(users)));
            co_return done();
        }
        note(request_, ShardNote::removing);
        MUSHER_CO_DO(co_await take_away(trash));
        // kill -9 here: the last user is still named and its shard is gone; it removes itself
        // again.
        Result<void> written = co_await write(std::move(users));
        if (!written) {
            co_await put_back(trash);
            co_return fail(std::move(written).error());
        }
        outcome_.copied = true;
        co_return done();
    }

  private:
    enum class There { nothing, shard, stale };  // stale: nobody uses it, nor is it the source's

    Task<Result<There>> look() {
        bool present = false;
        const bool used = !lock_.users().empty();
        auto find = [&]() -> Result<void> {
            MUSHER_TRY(present, is_on_ssd(spot_));
            return present && used ? check_source(spot_) : Result<void>();
        };
        MUSHER_CO_DO(co_await offload(loop_, find));
        if (!present) co_return There::nothing;
        if (used) co_return There::shard;
        MUSHER_CO_TRY(const bool same, co_await is_copy());
        co_return same ? There::shard : There::stale;
    }
    ShardOutcome done() {
        outcome_.users = lock_.users();
        return outcome_;
    }
    Task<Result<void>> write(std::vector<std::string> users) {
        auto replace = [&] { return lock_.replace(std::move(users)); };
        outcome_.changed = true;
        co_return co_await offload(loop_, replace);
    }
    /// Drafts and trash of killed processes.
    Task<Result<std::vector<NamelessTree>>> leftovers() {
        auto find = [this] { return find_leftovers(spot_.ssd_dir, spot_.name); };
        co_return co_await offload(loop_, find);
    }
    /// Of a folder that nobody uses: whoever left it there may have left a half. What is the same
    /// is adopted.
    Task<Result<bool>> is_copy() {
        TreeCompareOptions how{request_.copy, !request_.verify};
        MUSHER_CO_TRY(const TreeComparison found,
                      co_await compare_trees(loop_, spot_.source, spot_.target(), how, cancel_));
        if (found.differences > 0) co_return co_await may_go(found);
        auto adopt = [this]() -> Result<bool> {
            NamelessTree tree;
            tree.path = spot_.target();
            MUSHER_TRY(tree.lock, Fd::open(tree.path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
            set_source(tree.lock.get(), spot_);
            MUSHER_DO(sync_draft(tree));
            return true;
        };
        co_return co_await offload(loop_, adopt);
    }
    /// Half a copy has less than its source. What has more, and is not our copy of this source, is
    /// somebody's.
    Task<Result<bool>> may_go(const TreeComparison& found) {
        if (found.extra == 0) co_return false;
        auto ask = [this]() -> Result<bool> {
            if (!is_own(spot_)) return false;
            MUSHER_DO(check_source(spot_));
            return true;
        };
        MUSHER_CO_TRY(const bool own, co_await offload(loop_, ask));
        if (own) co_return false;
        co_return fail(Errc::conflict,
                       escape_name(spot_.target()) + " is no copy of " + escape_name(spot_.source) +
                           ": it has what that has not",
                       "move it away, or remove it");
    }
    /// kill -9 in here: trash, and no shard.
    Task<Result<void>> clear() {
        std::vector<NamelessTree> trash;
        MUSHER_CO_DO(co_await take_away(trash));
        co_await sweep_trees(loop_, request_, trash);
        co_return Result<void>();
    }
    Task<Result<void>> take_away(std::vector<NamelessTree>& trash) {
        auto rename = [this] { return make_trash(spot_.ssd_dir, spot_.name); };
        Result<NamelessTree> taken = co_await offload(loop_, rename);
        if (taken) trash.push_back(std::move(*taken));
        if (taken || taken.error().code == Errc::not_found) co_return Result<void>();
        co_return fail(std::move(taken).error());
    }
    Task<void> put_back(std::vector<NamelessTree>& trash) {
        auto rename = [&] {
            for (const NamelessTree& tree : trash) {
                if (publish_draft(tree, spot_.ssd_dir, spot_.name)) return true;
            }
            return false;
        };
        if (co_await offload(loop_, rename)) trash.clear();
    }
    /// A copy that nobody could be registered for.
    Task<void> undo() {
        std::vector<NamelessTree> trash;
        static_cast<void>(co_await take_away(trash));
        static_cast<void>(co_await discard_trees(loop_, trash, request_.copy.crew));
    }

    Loop& loop_;
    const ShardRequest& request_;
    const ShardSpot& spot_;
    ShardLock& lock_;
    Cancel& cancel_;
    ShardOutcome outcome_;
};

Task<void> let_go(Loop& loop, const ShardRequest& request, ShardLock& lock) {
    auto release = [&lock] {
        lock.release();
        return 0;
    };
    co_await offload(loop, release);
    note(request, ShardNote::released);
}
}  // namespace

Task<Result<ShardLock>> take_shard_lock(Loop& loop, const ShardSpot& spot,
                                        std::chrono::milliseconds timeout, Cancel& cancel) {
    Cancel patience(cancel);
    const Deadline deadline(loop.timers(), patience, timeout);
    auto take = [&spot] { return ShardLock::try_take(spot); };
    std::minstd_rand random(std::random_device{}());
    milliseconds pause(1);
    for (;;) {
        MUSHER_CO_TRY(std::optional<ShardLock> lock, co_await offload(loop, take));
        if (lock) co_return std::move(*lock);
        // Long enough to leave the holder the machine, short enough not to be noticed.
        pause = std::min(pause * 2, milliseconds(32));
        const auto most = static_cast<unsigned>(pause.count());
        const Duration span = pause / 2 + milliseconds(random() % most);
        const Result<void> slept = co_await loop.timers().sleep(span, patience);
        if (slept) continue;
        if (cancel.requested()) co_return fail(cancel.error());
        co_return fail(Errc::timeout,
                       spot.lock_path() + " was not free within " + format_duration(timeout),
                       "somebody copies or removes this shard");
    }
}

Task<Result<ShardOutcome>> add_shard_user(Loop& loop, ShardRequest request, Cancel& cancel) {
    MUSHER_CO_DO(check_user(request.user));
    MUSHER_CO_TRY(ShardLock lock,
                  co_await take_shard_lock(loop, request.spot, request.timeout, cancel));
    note(request, ShardNote::locked);
    Registration registration(loop, request, lock, cancel);
    Result<ShardOutcome> outcome = co_await registration.add();
    co_await let_go(loop, request, lock);
    co_return outcome;
}

Task<Result<ShardOutcome>> remove_shard_user(Loop& loop, ShardRequest request, Cancel& cancel) {
    MUSHER_CO_DO(check_user(request.user));
    if (!request.spot.is_path) request.spot.source.clear();  // a name is no path to look at
    MUSHER_CO_TRY(ShardLock lock,
                  co_await take_shard_lock(loop, request.spot, request.timeout, cancel));
    note(request, ShardNote::locked);
    std::vector<NamelessTree> left, trash;
    Registration registration(loop, request, lock, cancel);
    Result<ShardOutcome> outcome = co_await registration.remove(left, trash);
    co_await let_go(loop, request, lock);
    co_await sweep_trees(loop, request, left);
    if (!outcome) co_return outcome;
    Result<void> gone = co_await discard_trees(loop, trash, request.copy.crew);
    if (!gone) {
        co_return fail(std::move(gone).error().within(
            "nobody uses the shard any more, but not all of its files could be removed"));
    }
    co_return outcome;
}

}  // namespace musher
