#include "pipelines/packs/shards/shard_placement.h"

#include "pipelines/packs/shards/shard_source.h"
#include "reactor/base/text.h"
#include "reactor/loop/offload.h"
#include "reactor/task/all.h"
#include "reactor/tree/folder_walk.h"
#include "reactor/tree/tree_compare.h"
#include "reactor/tree/tree_remove.h"

namespace musher {

namespace {
/// One copy, until it has its name.
class Placement {
  public:
    Placement(Loop& loop, const ShardRequest& request, Cancel& cancel)
        : loop_(loop), request_(request), spot_(request.spot), cancel_(cancel) {}

    Task<Result<TreeTotals>> run() {
        auto begin = [this] { return make_draft(spot_.ssd_dir, spot_.name); };
        MUSHER_CO_TRY(const TreeMeasure measure,
                      co_await measure_tree(loop_, spot_.source, request_.copy.crew, cancel_));
        if (request_.on_total) request_.on_total(measure.totals);
        MUSHER_CO_TRY(draft_.emplace_back(), co_await offload(loop_, begin));
        Result<TreeTotals> made = co_await fill(measure);
        // kill -9 before it has its name: a draft that nobody holds, for the next who comes.
        if (!made) static_cast<void>(co_await discard_trees(loop_, draft_, request_.copy.crew));
        co_return made;
    }

  private:
    Task<Result<TreeTotals>> fill(const TreeMeasure& measure) {
        Fd target;
        MUSHER_CO_DO(co_await find_room(measure));
        auto prepare = [&]() -> Result<void> {
            set_source(draft().lock.get(), spot_);
            MUSHER_TRY(target, Fd::open(draft().path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
            return {};
        };
        MUSHER_CO_DO(co_await offload(loop_, prepare));
        MUSHER_CO_TRY(
            const TreeTotals made,
            co_await copy_tree(loop_, spot_.source, std::move(target), request_.copy, cancel_));
        std::vector<Task<Result<void>>> last;
        last.push_back(sync());
        last.push_back(check_still(measure));
        const std::vector<Result<void>> done =
            co_await all(loop_.ready(), loop_.clock(), std::move(last));
        for (const Result<void>& one : done) MUSHER_CO_DO(one);
        if (request_.verify) MUSHER_CO_DO(co_await verify());
        auto publish = [this] { return publish_draft(draft(), spot_.ssd_dir, spot_.name); };
        MUSHER_CO_DO(co_await offload(loop_, publish));
        co_return made;
    }
    Task<Result<void>> sync() {
        auto write = [this]() -> Result<void> {
            set_source(draft().lock.get(), spot_);  // of a source that had one of its own
            return sync_draft(draft());
        };
        co_return co_await offload(loop_, write);
    }
    /// What was written to after its own turn is in the copy as it was before, beside what came
    /// later. Looked for while the disk writes.
    Task<Result<void>> check_still(const TreeMeasure& before) {
        MUSHER_CO_TRY(const TreeMeasure now,
                      co_await measure_tree(loop_, spot_.source, request_.copy.crew, cancel_));
        if (now.state == before.state) co_return Result<void>();
        co_return fail(changed().within(spot_.source));
    }
    /// Where there is too little, what anybody's killed process has left may be what takes it.
    Task<Result<void>> find_room(const TreeMeasure& measure) {
        auto check = [&] { return check_room(spot_, measure, draft().lock.get()); };
        Result<void> room = co_await offload(loop_, check);
        if (room || room.error().code != Errc::full) co_return room;
        auto find = [this] { return find_leftovers(spot_.ssd_dir, ""); };
        Result<std::vector<NamelessTree>> left = co_await offload(loop_, find);
        if (!left || left->empty()) co_return room;
        co_await sweep_trees(loop_, request_, *left);
        room = co_await offload(loop_, check);
        co_return room;
    }
    Task<Result<void>> verify() {
        TreeCompareOptions digests{request_.copy, false};
        MUSHER_CO_TRY(const TreeComparison found,
                      co_await compare_trees(loop_, spot_.source, draft().path, digests, cancel_));
        if (found.differences == 0) co_return Result<void>();
        co_return fail(Errc::corrupt, "the copy differs from " + escape_name(spot_.source) + " (" +
                                          counted(found.differences, "difference") +
                                          "): " + found.differing.front());
    }
    const NamelessTree& draft() const { return draft_.front(); }

    Loop& loop_;
    const ShardRequest& request_;
    const ShardSpot& spot_;
    Cancel& cancel_;
    std::vector<NamelessTree> draft_;
};
}  // namespace

Task<Result<void>> discard_trees(Loop& loop, const std::vector<NamelessTree>& trees,
                                 const CrewOptions& crew) {
    Cancel never;
    Result<void> done;
    for (const NamelessTree& tree : trees) {
        CrewOptions quiet = crew;
        quiet.on_turn = nullptr;
        Result<void> gone = check_open(tree);
        if (gone) gone = co_await remove_tree(loop, tree.path, quiet, never);
        if (done) done = std::move(gone);
    }
    co_return done;
}

Task<void> sweep_trees(Loop& loop, const ShardRequest& request,
                       const std::vector<NamelessTree>& left) {
    const Result<void> gone = co_await discard_trees(loop, left, request.copy.crew);
    if (!gone && request.on_warning) request.on_warning(escape_name(gone.error().text()));
}

Task<Result<TreeTotals>> place_shard(Loop& loop, const ShardRequest& request, Cancel& cancel) {
    Placement placement(loop, request, cancel);
    co_return co_await placement.run();
}

}  // namespace musher
