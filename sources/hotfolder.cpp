#include "sources/hotfolder.h"

#include <fmt/format.h>

#include "reactor/base/backoff.h"
#include "reactor/base/limits.h"
#include "reactor/base/log.h"
#include "reactor/base/text.h"
#include "reactor/base/uuid.h"
#include "reactor/loop/offload.h"
#include "sources/farewell.h"
#include "sources/file_facts.h"
#include "sources/look.h"

namespace musher::hotfolder {

namespace {
using std::chrono::seconds;

constexpr std::size_t kMostStanding = 200'000;
constexpr Duration kGuard = seconds(2);
constexpr Duration kLongestAway = seconds(5);  // between two tries to open the folder

std::string settled_file(const HotfolderRules& rules, const SourceContext& context) {
    const bool stays = rules.done.way == Farewell::Way::leave && !context.state.empty();
    return stays ? context.state + "/settled/" + context.pipeline : "";
}

struct Batch {
    std::shared_ptr<const Premises> premises;
    const LookRules& rules;
    const std::vector<LookRequest>& requests;
    std::vector<LookResult> results;
    Result<void> synced;

    /// Pool threads.
    int run() {
        Looker looker(premises, rules);
        results.reserve(requests.size());
        for (const LookRequest& request : requests) results.push_back(looker.look(request));
        synced = looker.sync();
        return 0;
    }
};
}  // namespace

/// Tells the source what became of one event that it sent.
struct Hotfolder::Sent final : Ticket {
    Sent(Hotfolder& source, Item what) : owner(source), item(std::move(what)) {}
    void accepted(Admission admission) override { owner.answered(std::move(item), admission); }
    void rejected(const Error&) override { owner.rejected(item.id); }
    Hotfolder& owner;
    Item item;
};

Hotfolder::Hotfolder(HotfolderRules rules, const SourceContext& context)
    : rules_(std::move(rules)),
      context_(context),
      bell_(context.loop.ready()),
      resumed_(context.loop.ready()),
      arrived_(context.loop.ready()),
      settled_(settled_file(rules_, context), limits::kSettledIds) {}

PremisesWish Hotfolder::wish() const {
    PremisesWish wish;
    wish.folder = rules_.folder;
    wish.pipeline = context_.pipeline;
    wish.node = context_.node;
    wish.shared = rules_.shared;
    wish.trees = rules_.scan.folders_are_items;
    wish.in_place = rules_.look.in_place;
    wish.asides.push_back(rules_.failed);
    if (rules_.done.way == Farewell::Way::move) wish.asides.push_back(rules_.done.folder);
    return wish;
}

Task<Result<void>> Hotfolder::run(Cancel& stop) {
    Backoff backoff(seconds(1), kLongestAway);
    co_await remember_settled();
    while (!stop.requested()) {
        const PremisesWish asked = wish();
        auto open = [&asked] { return open_premises(asked); };
        Result<std::shared_ptr<const Premises>> opened = co_await offload(context_.loop, open);
        if (opened) {
            trouble_.clear();
            premises_ = std::move(*opened);
            const Result<void> worked = co_await work(stop);
            patrol_.reset();
            premises_.reset();
            if (worked) backoff.reset();
            if (!worked && !stop.requested()) trouble(worked.error());
        } else {
            trouble(opened.error());
        }
        if (stop.requested()) break;
        const Result<void> slept = co_await context_.loop.timers().sleep(backoff.next(), stop);
        static_cast<void>(slept);
    }
    co_return fail(stop.error());
}

/// One life of the premises: until they are gone, or a fault that a fresh start may heal.
Task<Result<void>> Hotfolder::work(Cancel& stop) {
    table_.emplace(rules_.settle);
    standing_.clear();
    auto is_known = [this](const CandidateKey::View& key, const FileSample& sample) {
        return known(key, sample);
    };
    Patrol::Wish watched{rules_, *table_, bell_, is_known};
    patrol_ = std::make_unique<Patrol>(context_.loop, premises_, watched);
    Cancel over;
    Scope guards("guard", context_.loop.ready(), context_.loop.clock(), &context_.loop.root());
    guards.spawn(rules_.folder, guard(over));
    Result<void> ended = co_await turns(stop);
    over.request();
    co_await guards.join();
    if (ended && patrol_->lost() && !stop.requested()) {
        co_return fail(Errc::not_found, rules_.folder + " is gone, or another folder lies there");
    }
    co_return ended;
}

/// No event tells of the end of a folder that somebody has open, as we do: not rmdir, not a mount
/// that was taken away or put over it, nor a new name of a folder above it.
Task<void> Hotfolder::guard(Cancel& over) {
    const std::shared_ptr<const Premises> premises = premises_;
    auto look = [&premises] { return still_there(*premises); };
    for (;;) {
        // All folders at the same moments, and a folder that is there is mostly known to be: an
        // idle process wakes up once for all of them.
        const Duration since = context_.loop.clock().now().time_since_epoch() % kGuard;
        const Result<void> slept = co_await context_.loop.timers().sleep(kGuard - since, over);
        if (!slept) co_return;
        bool there = known_there(*premises);
        if (!there) there = co_await offload(context_.loop, look);
        if (there || over.requested()) continue;
        // Now, since the others may be waiting for a queue that is full.
        trouble(Error(Errc::not_found, rules_.folder + " is gone, or another folder lies there"));
        patrol_->lose();
        bell_.ring();
        co_return;
    }
}

Task<Result<void>> Hotfolder::turns(Cancel& stop) {
    MUSHER_CO_DO(co_await recover(true, stop));
    MUSHER_CO_DO(patrol_->start());
    while (!stop.requested() && !patrol_->lost()) {
        if (recover_at_ && context_.loop.clock().now() >= *recover_at_) {
            MUSHER_CO_DO(co_await recover(false, stop));
        }
        co_await return_refused(stop);
        co_await save_settled();
        const bool scanned = co_await patrol_->scan_some();
        MUSHER_CO_TRY(const bool looked, co_await look_some(stop));
        if (!scanned && !looked) co_await rest(stop);
    }
    co_return Result<void>();
}

Task<void> Hotfolder::rest(Cancel& stop) {
    std::optional<Instant> due = table_->next_due(!paused_);
    if (recover_at_) due = std::min(due.value_or(*recover_at_), *recover_at_);
    const Instant now = context_.loop.clock().now();
    if (due && *due <= now) co_return;
    Cancel enough(stop);
    const Deadline deadline(context_.loop.timers(), enough, due ? *due - now : Duration(0));
    const Result<void> rung = co_await bell_.wait(enough);
    static_cast<void>(rung);  // rung, due or stopping: the caller looks either way
}

void Hotfolder::resume() {
    paused_.reset();
    resumed_.wake_all();
    bell_.ring();
}

void Hotfolder::trouble(const Error& error) {
    if (error.text() == trouble_) return;
    trouble_ = error.text();
    log::warning("hotfolder.trouble", Json{{"pipeline", context_.pipeline},
                                           {"folder", rules_.folder},
                                           {"reason", trouble_},
                                           {"hint", error.hint}});
}

std::string Hotfolder::absolute(const std::string& relative) const {
    return (rules_.folder == "/" ? "" : rules_.folder) + "/" + relative;
}

bool Hotfolder::unmatched(const LookRequest& request) const {
    return rules_.fail_unmatched &&
           rules_.scan.names.judge(request.subfolder, request.look.name) !=
               NameRules::Verdict::wanted;
}

std::vector<LookRequest> Hotfolder::requests_for(const std::vector<Look>& looks) const {
    std::vector<LookRequest> requests;
    requests.reserve(looks.size());
    const std::int64_t now = context_.loop.clock().wall_ms();
    for (const Look& look : looks) {
        LookRequest request;
        request.look = look;
        // A folder that is no more: its candidates are looked at once and found gone.
        const std::string* subfolder = patrol_->folders().path(look.dir);
        if (subfolder) request.subfolder = *subfolder;
        if (!subfolder) request.subfolder = ".musher/gone";
        if (look.claim) request.id = new_uuid7(now);
        const bool was_refused = standing_.contains(CandidateKey::View{look.dir, look.name});
        request.keep_name = was_refused || unmatched(request);
        requests.push_back(std::move(request));
    }
    return requests;
}

Task<Result<bool>> Hotfolder::look_some(Cancel& stop) {
    // What is claimed has left its place: no more than may be on its way at once.
    const std::size_t most = std::min(limits::kFileBatch, context_.out.capacity());
    const std::vector<Look> looks =
        table_->take(context_.loop.clock().now(), most, !paused_);
    if (looks.empty()) co_return false;
    const std::vector<LookRequest> requests = requests_for(looks);
    Batch batch{premises_, rules_.look, requests, {}, {}};
    auto run_batch = [&batch] { return batch.run(); };
    co_await offload(context_.loop, run_batch);
    const Instant now = context_.loop.clock().now();
    const bool refused = table_->refused() > 0;
    for (std::size_t i = 0; i < looks.size(); ++i) {
        table_->report(looks[i], batch.results[i].outcome, now);
        if (batch.results[i].astray) rejected(requests[i].id);
    }
    tell_of_refused(refused);
    if (!batch.synced) {
        // Claimed, but a power failure may undo it: nobody is told before it is sure.
        for (const LookRequest& request : requests) rejected(request.id);
        trouble(batch.synced.error());
        co_return true;
    }
    co_await drop_markers(requests, batch.results);
    MUSHER_CO_DO(co_await take(requests, batch.results, stop));
    co_return true;
}

/// What was claimed becomes events; what is ready and stays in place is compared with what is
/// known of it first.
Task<Result<void>> Hotfolder::take(const std::vector<LookRequest>& requests,
                                   std::vector<LookResult>& results, Cancel& stop) {
    std::vector<Item> claimed;
    std::vector<Item> standing;
    std::vector<Item> refused;
    for (std::size_t i = 0; i < results.size(); ++i) {
        LookResult& result = results[i];
        const LookRequest& request = requests[i];
        Item item;
        item.original = absolute(join_relative(request.subfolder, request.look.name));
        item.sample = result.outcome.sample;
        item.hops = result.hops;
        item.file = std::move(result.path);
        if (result.outcome.finding == Finding::claimed) {
            item.id = request.id;
            claimed.push_back(std::move(item));
        } else if (result.outcome.finding == Finding::steady && request.look.claim) {
            item.id = std::move(result.id);
            if (unmatched(request)) {
                refused.push_back(std::move(item));
            } else if (stands(request, item)) {
                standing.push_back(std::move(item));
            }
        }
    }
    if (!refused.empty()) co_await fail_unmatched(std::move(refused), stop);
    if (!standing.empty()) MUSHER_CO_DO(co_await recover_some(std::move(standing), stop));
    co_return co_await emit(std::move(claimed), stop);
}

/// A ready file that was not claimed: true when it is news and will be worked on where it is.
bool Hotfolder::stands(const LookRequest& request, const Item& item) {
    const CandidateKey::View key{request.look.dir, request.look.name};
    if (known(key, item.sample)) return false;
    const auto before = standing_.find(key);
    if (request.keep_name && !rules_.look.in_place) {
        // It has changed since it was refused: the next look may claim it.
        if (before != standing_.end()) standing_.erase(before);
        table_->sight(key.dir, key.name, item.sample, context_.loop.clock().now());
        return false;
    }
    remember({request.look.dir, request.look.name}, item.sample, item.id, item.hops);
    return true;
}

Event Hotfolder::event_of(const Item& item) const {
    Event event;
    event.id = item.id;
    event.kind = "hotfolder";
    event.facts = file_facts(item.file, item.original, item.sample);
    // A claim lies where nobody else can put another file in its place.
    const bool stands = item.file == item.original;
    if (stands && premises_->traits.stable_inodes) event.facts.edit()["ino"] = item.sample.ino;
    event.file = item.file;
    event.hops = item.hops;
    return event;
}

Task<Result<void>> Hotfolder::emit(std::vector<Item> items, Cancel& stop) {
    for (Item& item : items) {
        while (paused_) MUSHER_CO_DO(co_await resumed_.wait(stop));
        Delivery delivery;
        delivery.event = event_of(item);
        taken_[item.original] = item.id;
        admitting_.insert(item.id);
        delivery.ticket = std::make_unique<Sent>(*this, std::move(item));
        // kill -9 here: recovery finds the claim and its id unknown, and sends it again.
        MUSHER_CO_DO(co_await context_.out.send(std::move(delivery), stop));
    }
    co_return Result<void>();
}

void Hotfolder::answered(Item item, Admission admission) {
    if (admission == Admission::stored) {
        admitting_.erase(item.id);
        return;
    }
    untake(item.original, item.id);
    (admission == Admission::unwanted ? unwanted_ : duplicates_).push_back(std::move(item));
    bell_.ring();
}

/// Claimed, and nobody has it: the next recovery need not wait to be sure.
void Hotfolder::rejected(const std::string& id) {
    admitting_.erase(id);
    suspects_.insert(id);
    recover_later();
}

bool Hotfolder::known(const CandidateKey::View& key, const FileSample& sample) const {
    const auto found = standing_.find(key);
    return found != standing_.end() && found->second.sample == sample;
}

void Hotfolder::remember(CandidateKey key, const FileSample& sample, const std::string& id,
                         int hops) {
    // Forgetting costs a question to the queue per file, no more.
    if (standing_.size() >= kMostStanding) standing_.clear();
    standing_[std::move(key)] = Standing{sample, id, hops};
}

}  // namespace musher::hotfolder
