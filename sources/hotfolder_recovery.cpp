// What a crash, or a queue that lost its memory, left behind: claims are held against the queue.
//
// At start each claim is dealt with at once. While musher runs, the slow safety scan and every
// reconnect of the queue look again, and only what two looks found without a job is dealt with:
// between them a running job has noticed that it is no longer its own, and what was just settled is
// gone.
#include "reactor/base/limits.h"
#include "reactor/base/log.h"
#include "reactor/base/text.h"
#include "reactor/loop/offload.h"
#include "sources/hotfolder.h"

namespace musher::hotfolder {

namespace {
constexpr Duration kRecoverAgain = limits::kBeat + std::chrono::seconds(1);
}  // namespace

void Hotfolder::recover_later() {
    const Instant due = context_.loop.clock().now() + kRecoverAgain;
    recover_at_ = std::min(recover_at_.value_or(due), due);
    bell_.ring();
}

void Hotfolder::recheck() {
    recalled_.clear();  // a replay may have gone down with the queue
    recover_at_ = context_.loop.clock().now();
    bell_.ring();
}

/// What is to be held against the queue: the work folder, and files that are worked on in place.
Task<Result<std::vector<Hotfolder::Item>>> Hotfolder::unfinished() {
    const Premises* premises = premises_.get();
    auto list = [premises] { return list_claims(*premises); };
    MUSHER_CO_TRY(std::vector<Claim> claims, co_await offload(context_.loop, list));
    std::vector<Item> items;
    for (Claim& claim : claims) {
        Item& item = items.emplace_back();
        item.id = std::move(claim.id);
        item.original = absolute(join_relative(claim.subfolder, claim.name));
        item.file = std::move(claim.path);
    }
    for (const auto& [original, id] : taken_) {
        const Standing* standing = standing_at(original);
        if (!standing || standing->id != id) continue;
        Item& item = items.emplace_back();
        item.id = id;
        item.original = item.file = original;
        item.sample = standing->sample;
        item.hops = standing->hops;
    }
    // On their way into the queue, or back to their places.
    std::erase_if(items, [this](const Item& item) { return admitting_.contains(item.id); });
    co_return items;
}

const Hotfolder::Standing* Hotfolder::standing_at(const std::string& original) const {
    if (standing_.empty() || !patrol_) return nullptr;
    const auto [subfolder, name] = split_relative(original.substr(absolute("").size()));
    const std::optional<DirId> dir = patrol_->folders().find(subfolder);
    if (!dir) return nullptr;
    const auto found = standing_.find(CandidateKey::View{*dir, name});
    return found == standing_.end() ? nullptr : &found->second;
}

/// The queue says of each id what is to be done.
Task<Result<void>> Hotfolder::recover(bool at_start, Cancel& stop) {
    recover_at_.reset();
    const std::unordered_set<std::string> before = std::exchange(suspects_, {});
    MUSHER_CO_TRY(std::vector<Item> items, co_await unfinished());
    for (std::size_t from = 0; from < items.size(); from += limits::kFileBatch) {
        const auto begin = items.begin() + static_cast<std::ptrdiff_t>(from);
        const std::size_t size = std::min(items.size() - from, limits::kFileBatch);
        std::vector<Item> some(std::make_move_iterator(begin),
                               std::make_move_iterator(begin + static_cast<std::ptrdiff_t>(size)));
        MUSHER_CO_TRY(std::vector<Presence> known, co_await ask(some, stop));
        for (std::size_t i = 0; i < some.size(); ++i) {
            const std::string& id = some[i].id;
            if (known[i] == Presence::live || at_start || before.contains(id)) continue;
            suspects_.insert(id);
            known[i] = Presence::live;  // until it is missed twice
        }
        MUSHER_CO_DO(co_await act(std::move(some), std::move(known), stop));
    }
    const Instant now = context_.loop.clock().now();
    if (!suspects_.empty()) recover_later();
    if (suspects_.empty()) left_.clear();
    if (!recover_at_) recover_at_ = now + rules_.rescan;
    co_return Result<void>();
}

Task<Result<std::vector<Presence>>> Hotfolder::ask(const std::vector<Item>& items, Cancel& stop) {
    std::vector<Presence> known(items.size(), Presence::done);
    std::vector<std::string> ids;
    std::vector<std::size_t> asked;
    for (std::size_t i = 0; i < items.size(); ++i) {
        if (settled_.knows(items[i].id)) continue;
        ids.push_back(items[i].id);
        asked.push_back(i);
    }
    if (ids.empty()) co_return known;
    MUSHER_CO_TRY(const std::vector<Presence> found,
                  co_await context_.ledger.find(std::move(ids), stop));
    for (std::size_t i = 0; i < asked.size(); ++i) known[asked[i]] = found[i];
    co_return known;
}

Task<Result<void>> Hotfolder::recover_some(std::vector<Item> items, Cancel& stop) {
    MUSHER_CO_TRY(std::vector<Presence> known, co_await ask(items, stop));
    co_return co_await act(std::move(items), std::move(known), stop);
}

/// Unknown: sent (again). Live: its job has it. Finished: only the last move is missing.
Task<Result<void>> Hotfolder::act(std::vector<Item> items, std::vector<Presence> known,
                                  Cancel& stop) {
    std::vector<Item> fresh;
    std::vector<Settlement> finished;
    for (std::size_t i = 0; i < items.size(); ++i) {
        Item& item = items[i];
        // Back in its place before the queue knows: it is seen there while its job is still dead.
        if (known[i] == Presence::live) recalled_.erase(item.id);
        const bool purged = known[i] == Presence::unknown;
        if (!purged && recalled_.contains(item.id)) known[i] = Presence::live;
        if (known[i] == Presence::unknown) {
            fresh.push_back(std::move(item));
        } else if (known[i] == Presence::live) {
            taken_[item.original] = item.id;
        } else if (known[i] == Presence::done && rules_.done.way == Farewell::Way::leave) {
            untake(item.original, item.id);
            settled_.add(item.id);
        } else {
            MUSHER_CO_TRY(Settlement ended, co_await context_.ledger.settlement(item.id, stop));
            finished.push_back(std::move(ended));
        }
    }
    if (!finished.empty()) co_await try_to_settle(std::move(finished), stop);
    auto look = [&fresh] {
        return std::erase_if(fresh, [](Item& item) {
            return item.sample.ino == 0 && !look_at_claim(item.file, item.sample, item.hops);
        });
    };
    if (!fresh.empty()) co_await offload(context_.loop, look);
    co_return co_await emit(std::move(fresh), stop);
}

Task<void> Hotfolder::remember_settled() {
    auto read = [this] { return settled_.read(); };
    Result<SettledIds::Generations> found = co_await offload(context_.loop, read);
    if (found) settled_.adopt(std::move(*found));
    if (!found) {
        log::warning("hotfolder.forgetful",
                     Json{{"pipeline", context_.pipeline}, {"reason", found.error().text()}});
    }
}

Task<void> Hotfolder::save_settled() {
    if (!settled_.unsaved()) co_return;
    SettledIds::Batch batch = settled_.take();
    // Forgotten, those that are still there are asked for: so they move to the new generation.
    if (batch.last) standing_.clear();
    auto write = [this, &batch] { return settled_.write(batch); };
    const Result<void> written = co_await offload(context_.loop, write);
    const std::string why = written ? std::string() : written.error().text();
    if (!written) settled_.put_back(std::move(batch));
    if (!written && unsaved_.empty()) {
        log::warning("hotfolder.forgetful", Json{{"pipeline", context_.pipeline}, {"reason", why}});
    }
    unsaved_ = why;
}

void Hotfolder::untake(const std::string& original, const std::string& id) {
    const auto taken = taken_.find(original);
    if (taken != taken_.end() && taken->second == id) taken_.erase(taken);
}

}  // namespace musher::hotfolder
