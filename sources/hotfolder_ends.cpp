// The ends of a hot folder's events: settlement, refusal, replay.
#include <sys/stat.h>

#include <filesystem>

#include "reactor/base/clock.h"
#include "reactor/base/log.h"
#include "reactor/base/text.h"
#include "reactor/drivers/files.h"
#include "reactor/loop/offload.h"
#include "sources/farewell.h"
#include "sources/hotfolder.h"
#include "sources/refusal.h"
#include "sources/tree_sample.h"

namespace musher::hotfolder {

namespace {
/// Claims go back to their places. Each answer is the place, and what now lies there.
std::vector<std::pair<std::string, FileSample>> move_back(const std::vector<Move>& moves) {
    std::vector<std::pair<std::string, FileSample>> places;
    const std::vector<Result<std::string>> answers = move_files(moves, Sync::later);
    for (std::size_t i = 0; i < answers.size(); ++i) {
        const Result<std::string>& moved = answers[i];
        struct stat status{};
        if (moved) leave_claim(moves[i].from);
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
}  // namespace

/// Recovery and the dispatcher may come with the same original: the first to come moves it.
Task<Result<void>> Hotfolder::settle(std::vector<Settlement>& ended, Cancel& cancel) {
    std::erase_if(ended,
                  [this](const Settlement& one) { return !leaving_.insert(one.event.id).second; });
    std::vector<std::string> ids;
    for (const Settlement& one : ended) {
        ids.push_back(one.event.id);
        recalled_.erase(one.event.id);
    }
    Result<void> moved = co_await move_away(ended, cancel);
    for (const std::string& id : ids) leaving_.erase(id);
    arrived_.wake_all();
    co_return moved;
}

Task<Result<void>> Hotfolder::move_away(std::vector<Settlement>& ended, Cancel& cancel) {
    auto move = [this, &ended] { return put_away(rules_, ended); };
    const std::vector<Result<void>> answers = co_await offload(context_.loop, move);
    Result<void> all;
    std::vector<Settlement> left;
    std::vector<Settlement> refused;
    for (std::size_t i = 0; i < ended.size(); ++i) {
        if (answers[i]) {
            forget(ended[i]);
        } else if (answers[i].error().code == Errc::conflict &&
                   rules_.collision == Collision::fail &&
                   ended[i].outcome == musher::Outcome::done) {
            refused.push_back(std::move(ended[i]));
        } else {
            all = answers[i];
            left.push_back(std::move(ended[i]));
        }
    }
    for (Settlement& one : refused) {
        const Result<void> put = co_await refuse_done(one, cancel);
        if (put) continue;
        all = put;
        left.push_back(std::move(one));
    }
    ended = std::move(left);
    co_return all;
}

/// collision: fail, and the name is taken: the original goes to failed/, with its job's record.
Task<Result<void>> Hotfolder::refuse_done(Settlement& one, Cancel& cancel) {
    const std::string id = one.event.id;
    Result<Settlement> recorded = co_await context_.ledger.settlement(id, cancel);
    if (!recorded && recorded.error().code != Errc::not_found) co_return fail(recorded.error());
    std::vector<Settlement> refused{one};
    if (recorded) refused.front().report = std::move(recorded->report);
    const std::string relative = original_of(rules_, one.event.file);
    Error error(Errc::conflict,
                escape_name(rules_.done.folder + "/" + relative) + " exists already",
                "see `collision` in pipeline " + context_.pipeline);
    refuse(refused.front(), std::move(error), "refused", context_.loop.clock().wall_ms());
    log::warning("hotfolder.collision", Json{{"pipeline", context_.pipeline},
                                             {"file", escape_name(absolute(relative))},
                                             {"job", id}});
    co_return co_await move_away(refused, cancel);
}

/// It has ended: what is dropped under its name from now on is another file.
void Hotfolder::forget(const Settlement& one) {
    const std::string relative = original_of(rules_, one.event.file);
    untake(absolute(relative), one.event.id);
    const bool stays =
        rules_.done.way == Farewell::Way::leave && one.outcome == musher::Outcome::done;
    if (stays) {
        settled_.add(one.event.id);
        bell_.ring();
    }
    const Standing* standing = standing_at(absolute(relative));
    if (stays || !standing || standing->id != one.event.id) return;
    const auto [subfolder, name] = split_relative(relative);
    standing_.erase(CandidateKey{*patrol_->folders().find(subfolder), name});
}

/// Like settle(), for what no dispatcher waits for: what cannot be moved now is left where it is,
/// to be found by the next recovery or scan, and holds nobody else up.
Task<void> Hotfolder::try_to_settle(std::vector<Settlement> ended, Cancel& cancel) {
    const Result<void> settled = co_await settle(ended, cancel);
    if (settled) co_return;
    for (const Settlement& one : ended) suspects_.insert(one.event.id);
    if (left_ != settled.error().text()) {
        log::warning("hotfolder.left", Json{{"pipeline", context_.pipeline},
                                            {"originals", ended.size()},
                                            {"reason", settled.error().text()},
                                            {"hint", settled.error().hint}});
    }
    left_ = settled.error().text();
    recover_later();
}

/// With what admission would have set.
Event Hotfolder::unadmitted(const Item& item) const {
    Event event = event_of(item);
    event.source = context_.pipeline;
    event.time_ms = context_.loop.clock().wall_ms();
    event.date = format_date(event.time_ms, context_.timezone).value_or("");
    return event;
}

/// Files that became no job: those that `when` refused go back and are left alone until they
/// change or musher starts anew; duplicates are done with, and are never deleted.
///
/// kill -9 before: recovery sends the claim again, with the same answer.
Task<void> Hotfolder::return_refused(Cancel& stop) {
    std::vector<Settlement> over;
    for (const Item& item : std::exchange(duplicates_, {})) {
        log::info("hotfolder.duplicate", Json{{"pipeline", context_.pipeline},
                                              {"file", escape_name(item.original)},
                                              {"hint", "`dedupe` knows a job of its value"}});
        ++duplicates_seen_;
        admitting_.erase(item.id);
        if (rules_.done.way == Farewell::Way::leave) {
            settled_.add(item.id);
            bell_.ring();
            continue;
        }
        Settlement& one = over.emplace_back();
        one.event = unadmitted(item);
        if (rules_.done.way != Farewell::Way::remove) continue;
        // Nobody has read it: what `delete` is for is what a job is done with.
        Error error(Errc::conflict, "a live job has the same value of `dedupe`",
                    "drop it again when that job has ended, or set `done` to a folder");
        refuse(one, std::move(error), "duplicate", context_.loop.clock().wall_ms());
    }
    if (!over.empty()) co_await try_to_settle(std::move(over), stop);
    std::vector<Move> moves;
    std::vector<std::string> ids;
    for (const Item& item : unwanted_) {
        ids.push_back(item.id);
        if (item.file != item.original) {
            moves.push_back(Move{item.file, item.original});
            continue;
        }
        const auto [subfolder, name] = split_relative(original_of(rules_, item.file));
        const std::optional<DirId> dir = patrol_->folders().find(subfolder);
        if (dir) remember({*dir, name}, item.sample, "", 0);
    }
    unwanted_.clear();
    auto move = [&moves] { return move_back(moves); };
    std::vector<std::pair<std::string, FileSample>> places;
    if (!moves.empty()) places = co_await offload(context_.loop, move);
    for (const std::string& id : ids) admitting_.erase(id);
    for (const auto& [path, sample] : places) {
        const auto [subfolder, name] = split_relative(original_of(rules_, path));
        const std::optional<DirId> dir = patrol_->folders().find(subfolder);
        if (dir) remember({*dir, name}, sample, "", 0);
    }
}

Task<void> Hotfolder::fail_unmatched(std::vector<Item> items, Cancel& stop) {
    std::vector<Settlement> refused;
    for (const Item& item : items) {
        Settlement& one = refused.emplace_back();
        one.event = unadmitted(item);
        Error error(Errc::usage, "the name matches no pattern of `match`",
                    "see `match` and `unmatched` in pipeline " + context_.pipeline);
        refuse(one, std::move(error), "unmatched", context_.loop.clock().wall_ms());
        log::warning("hotfolder.unmatched",
                     Json{{"pipeline", context_.pipeline}, {"file", escape_name(item.original)}});
    }
    co_await try_to_settle(std::move(refused), stop);
}

/// Claims that no queue knows were cut off on their way into it, or `when` refused them just now.
Task<Result<void>> Hotfolder::retire(Cancel& cancel) {
    const PremisesWish asked = wish();
    auto open = [&asked] { return open_premises(asked); };
    Result<std::shared_ptr<const Premises>> opened = co_await offload(context_.loop, open);
    if (!opened) co_return fail(opened.error());  // not there just now: with all its claims
    premises_ = std::move(*opened);
    // No answer is on its way any more, and nobody returns what was refused.
    admitting_.clear();
    unwanted_.clear();
    duplicates_.clear();
    Result<std::vector<Item>> items = co_await unfinished();
    premises_.reset();
    if (!items) co_return fail(items.error());
    MUSHER_CO_TRY(const std::vector<Presence> known, co_await ask(*items, cancel));
    std::vector<Move> moves;
    for (std::size_t i = 0; i < items->size(); ++i) {
        const Item& item = (*items)[i];
        if (known[i] == Presence::unknown) moves.push_back(Move{item.file, item.original});
    }
    auto move = [&moves] { return move_back(moves); };
    if (!moves.empty()) co_await offload(context_.loop, move);
    co_return Result<void>();
}

Task<Result<void>> Hotfolder::recall(Event event, Cancel& cancel) {
    // Its end may be a moment ago: what is just being put away is fetched when it has arrived.
    while (leaving_.contains(event.id)) {
        MUSHER_CO_DO(co_await arrived_.wait(cancel));
    }
    recalled_.insert(event.id);
    auto fetch = [this, &event] { return bring_back(rules_, event.id, event.file); };
    Result<void> fetched = co_await offload(context_.loop, fetch);
    if (!fetched) {
        recalled_.erase(event.id);
        co_return fetched;
    }
    if (at_home(rules_, event.file)) {
        taken_[absolute(original_of(rules_, event.file))] = event.id;
    }
    co_return Result<void>();
}

Task<std::string> Hotfolder::whereabouts(Event event, musher::Outcome outcome) {
    auto look = [this, &event, outcome] { return where_is(rules_, event, outcome); };
    co_return co_await offload(context_.loop, look);
}

}  // namespace musher::hotfolder
