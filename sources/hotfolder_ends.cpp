// The ends of a hot folder's events: recovery at start, settlement, replay.
#include <sys/stat.h>

#include <filesystem>

#include "reactor/base/limits.h"
#include "reactor/base/log.h"
#include "reactor/base/text.h"
#include "reactor/drivers/files.h"
#include "reactor/loop/offload.h"
#include "sources/farewell.h"
#include "sources/hotfolder.h"
#include "sources/tree_sample.h"

namespace musher::hotfolder {

namespace {
/// Claims go back to their places. Each answer is the place, and what now lies there.
std::vector<std::pair<std::string, FileSample>> move_back(const std::vector<Move>& moves) {
    std::vector<std::pair<std::string, FileSample>> places;
    for (const Result<std::string>& moved : move_files(moves, Sync::later)) {
        struct stat status{};
        if (!moved || ::lstat(moved->c_str(), &status) != 0) continue;
        FileSample sample = sample_of(status);
        if (S_ISDIR(status.st_mode)) {
            const Result<Fd> opened = Fd::open(*moved, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
            if (opened) sample = look_at_tree(*opened, false).sample;
        }
        places.emplace_back(*moved, sample);
    }
    return places;
}

std::pair<std::string, std::string> split(const std::string& relative) {
    const std::size_t slash = relative.rfind('/');
    if (slash == std::string::npos) return {"", relative};
    return {relative.substr(0, slash), relative.substr(slash + 1)};
}
}  // namespace

/// What lies in the work folder: the queue says of each id what is to be done.
Task<Result<void>> Hotfolder::recover(Cancel& stop) {
    recover_at_.reset();
    const Premises* premises = premises_.get();
    auto list = [premises] { return list_claims(*premises); };
    MUSHER_CO_TRY(std::vector<Claim> claims, co_await offload(context_.loop, list));
    for (std::size_t from = 0; from < claims.size(); from += limits::kFileBatch) {
        const std::size_t to = std::min(claims.size(), from + limits::kFileBatch);
        std::vector<Item> items;
        for (std::size_t i = from; i < to; ++i) {
            Claim& claim = claims[i];
            Item item;
            item.id = std::move(claim.id);
            item.original = absolute(join_relative(claim.subfolder, claim.name));
            item.file = std::move(claim.path);
            item.sample = claim.sample;
            item.hops = claim.hops;
            items.push_back(std::move(item));
        }
        MUSHER_CO_DO(co_await recover_some(std::move(items), stop));
    }
    co_return Result<void>();
}

/// Unknown: sent (again). Live: its job has it. Finished: only the last move is missing.
Task<Result<void>> Hotfolder::recover_some(std::vector<Item> items, Cancel& stop) {
    std::vector<std::string> ids;
    for (const Item& item : items) ids.push_back(item.id);
    MUSHER_CO_TRY(const std::vector<Presence> known, co_await context_.ledger.find(ids, stop));
    std::vector<Item> fresh;
    std::vector<Settlement> finished;
    for (std::size_t i = 0; i < items.size(); ++i) {
        switch (known[i]) {
            case Presence::unknown:
                fresh.push_back(std::move(items[i]));
                break;
            case Presence::live:
                taken_[items[i].original] = items[i].id;
                break;
            case Presence::done:
            case Presence::dead: {
                const bool stays = rules_.done.way == Farewell::Way::leave &&
                                   known[i] == Presence::done;
                if (stays) break;
                MUSHER_CO_TRY(Settlement ended,
                              co_await context_.ledger.settlement(items[i].id, stop));
                finished.push_back(std::move(ended));
                break;
            }
        }
    }
    if (!finished.empty()) MUSHER_CO_DO(co_await settle(std::move(finished), stop));
    co_return co_await emit(std::move(fresh), stop);
}

Task<Result<void>> Hotfolder::settle(std::vector<Settlement> ended, Cancel&) {
    auto move = [this, &ended] { return put_away(rules_, ended); };
    MUSHER_CO_DO(co_await offload(context_.loop, move));
    for (const Settlement& one : ended) {
        const std::string relative = original_of(rules_, one.event.file);
        taken_.erase(absolute(relative));
        const bool stays =
            rules_.done.way == Farewell::Way::leave && one.outcome == musher::Outcome::done;
        if (!stays) forget_standing(relative);
    }
    co_return Result<void>();
}

void Hotfolder::forget_standing(const std::string& relative) {
    if (standing_.empty() || !patrol_) return;
    const auto [subfolder, name] = split(relative);
    const std::optional<DirId> dir = patrol_->folders().find(subfolder);
    if (!dir) return;
    const auto found = standing_.find(CandidateKey::View{*dir, name});
    if (found != standing_.end()) standing_.erase(found);
}

/// Files that became no job: those that `when` refused go back and are left alone until they
/// change or musher starts anew; duplicates are done with.
///
/// kill -9 before: recovery sends the claim again, with the same answer.
Task<Result<void>> Hotfolder::return_refused() {
    if (!duplicates_.empty()) {
        std::vector<Settlement> over;
        for (Item& item : duplicates_) {
            Settlement one;
            one.event.id = std::move(item.id);
            one.event.file = std::move(item.file);
            over.push_back(std::move(one));
        }
        duplicates_.clear();
        auto move = [this, &over] { return put_away(rules_, over); };
        MUSHER_CO_DO(co_await offload(context_.loop, move));
    }
    std::vector<Move> moves;
    for (const Item& item : unwanted_) {
        if (item.file != item.original) moves.push_back(Move{item.file, item.original});
    }
    unwanted_.clear();
    if (moves.empty()) co_return Result<void>();
    auto move = [&moves] { return move_back(moves); };
    const auto places = co_await offload(context_.loop, move);
    for (const auto& [path, sample] : places) {
        const auto [subfolder, name] = split(original_of(rules_, path));
        const std::optional<DirId> dir = patrol_->folders().find(subfolder);
        if (dir) remember({*dir, name}, sample, "");
    }
    co_return Result<void>();
}

Task<Result<void>> Hotfolder::recall(Event event, Cancel&) {
    auto fetch = [this, &event] { return bring_back(rules_, event.id, event.file); };
    MUSHER_CO_DO(co_await offload(context_.loop, fetch));
    taken_[absolute(original_of(rules_, event.file))] = event.id;
    co_return Result<void>();
}

}  // namespace musher::hotfolder
