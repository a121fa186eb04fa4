#include "sources/settle_table.h"

#include <algorithm>
#include <tuple>

namespace musher::hotfolder {

namespace {
using std::chrono::seconds;

// Without a lease nothing proves that the writers are gone; ten quiet seconds are the next best.
constexpr Duration kUnproven = seconds(10);
// A new name without data: most often its writer's close follows, but link(2) says nothing more.
constexpr Duration kCreatedGrace = milliseconds(250);

struct Pause {
    Duration base;
    Duration cap;
};
Pause pause_of(Finding why) {
    switch (why) {
        case Finding::writing:
            return {milliseconds(100), seconds(5)};
        case Finding::marker_missing:
        case Finding::too_small:
            return {seconds(1), seconds(10)};
        default:
            return {seconds(5), seconds(60)};
    }
}
}  // namespace

bool SettleTable::ByDue::operator()(const Entry* a, const Entry* b) const {
    const Candidate& x = a->second;
    const Candidate& y = b->second;
    return std::tie(x.phase, x.due, x.turn) < std::tie(y.phase, y.due, y.turn);
}

bool SettleTable::ByOrder::operator()(const Entry* a, const Entry* b) const {
    if (order == Order::oldest && a->second.sample.mtime_ns != b->second.sample.mtime_ns) {
        return a->second.sample.mtime_ns < b->second.sample.mtime_ns;
    }
    return std::tie(a->first.name, a->first.dir) < std::tie(b->first.name, b->first.dir);
}

SettleTable::SettleTable(SettleRules rules)
    : rules_(std::move(rules)), order_(ByOrder{rules_.order}) {}

const Candidate* SettleTable::find(DirId dir, std::string_view name) const {
    const auto found = entries_.find(CandidateKey::View{dir, name});
    return found == entries_.end() ? nullptr : &found->second;
}

bool SettleTable::sight(DirId dir, std::string_view name, Sign sign, Instant now) {
    if (sign == Sign::found && find(dir, name)) return true;
    Entry* entry = admit(dir, name, now);
    if (!entry) return false;
    Candidate& candidate = entry->second;
    if (candidate.phase == Phase::looking) {
        candidate.again = std::max(sign, candidate.again.value_or(sign));
    } else {
        restart(*entry, sign, now);
    }
    return true;
}

bool SettleTable::sight(DirId dir, std::string_view name, const FileSample& sample, Instant now) {
    Entry* entry = admit(dir, name, now);
    if (!entry) return false;
    Candidate& candidate = entry->second;
    if (candidate.sampled && candidate.sample == sample) return true;
    if (candidate.phase == Phase::looking) {
        candidate.again = std::max(Sign::found, candidate.again.value_or(Sign::found));
        return true;
    }
    unfile(*entry);
    const bool changed = candidate.sampled;
    if (changed || !candidate.promised) candidate.quiet_from = now;
    if (changed) candidate.promised = false;
    candidate.sample = sample;
    candidate.sampled = true;
    candidate.misses = 0;
    settle(*entry, changed ? Finding::changed : Finding::sampled, now);
    return true;
}

void SettleTable::marker_came(DirId dir, std::string_view marker, Instant now) {
    const auto [from, to] = markers_.equal_range(std::string(marker));
    for (auto each = from; each != to; ++each) {
        Entry& entry = *each->second;
        if (entry.first.dir != dir) continue;
        sight(dir, entry.first.name, Sign::moved_in, now);
    }
}

std::vector<Look> SettleTable::take(Instant now, std::size_t most, bool may_claim) {
    std::vector<Look> looks;
    take_due(Phase::sampling, now, most, looks);
    if (!may_claim) return looks;
    // The stuck get a part of every batch, so that a backlog cannot starve them.
    take_due(Phase::stuck, now, looks.size() + (most - looks.size() + 3) / 4, looks);
    if (rules_.order == Order::none) {
        take_due(Phase::settling, now, most, looks);
    } else {
        take_ordered(now, most, looks);
    }
    return looks;
}

void SettleTable::take_due(Phase phase, Instant now, std::size_t most, std::vector<Look>& looks) {
    while (looks.size() < most) {
        Entry* entry = first_of(phase);
        if (!entry || entry->second.due > now) return;
        hand_out(*entry, now, looks);
    }
}

/// In order, but a file that settles holds the ready ones behind it back only for one `settle`:
/// names that keep coming in ahead must not starve the rest.
void SettleTable::take_ordered(Instant now, std::size_t most, std::vector<Look>& looks) {
    if (filling_ && !full()) return;
    while (looks.size() < most && !order_.empty()) {
        Entry* head = *order_.begin();
        if (head->second.due > now) {
            Entry* overdue = first_of(Phase::settling);
            if (overdue->second.due + rules_.settle > now) return;
            head = overdue;
        }
        hand_out(*head, now, looks);
    }
}

void SettleTable::hand_out(Entry& entry, Instant now, std::vector<Look>& looks) {
    Candidate& candidate = entry.second;
    Look look;
    look.dir = entry.first.dir;
    look.name = entry.first.name;
    look.sample_only = candidate.phase == Phase::sampling;
    const bool settles = rules_.settle.count() > 0;
    if (candidate.sampled && settles && !candidate.promised) look.expected = candidate.sample;
    // Seen open before, and no event told of its closing: it has to be quiet from now on.
    look.claim = !look.sample_only && !(candidate.was_writing && settles);
    look.trust_quiet =
        candidate.promised || now - candidate.quiet_from >= std::max(rules_.settle, kUnproven);
    unfile(entry);
    candidate.phase = Phase::looking;
    looks.push_back(std::move(look));
}

void SettleTable::report(const Look& look, const Outcome& outcome, Instant now) {
    const auto found = entries_.find(CandidateKey::View{look.dir, look.name});
    if (found == entries_.end()) return;
    Entry& entry = *found;
    Candidate& candidate = entry.second;
    const std::optional<Sign> again = std::exchange(candidate.again, std::nullopt);
    const bool ready = look.claim && outcome.finding == Finding::steady;
    if (ready || outcome.finding == Finding::gone || outcome.finding == Finding::odd ||
        outcome.finding == Finding::claimed) {
        erase(entry);
        // Seen meanwhile: either before the look or a new file of the same name. Look again.
        if (again) sight(look.dir, look.name, *again, now);
        return;
    }
    if (outcome.finding == Finding::sampled || outcome.finding == Finding::changed) {
        if (outcome.finding == Finding::changed) {
            candidate.quiet_from = now;
            candidate.promised = false;
        }
        // The quiet of a folder begins with its first sample: what was written into it between
        // its sign and this look gave no sign of its own.
        if (rules_.whole_folders && !candidate.promised) candidate.quiet_from = now;
        candidate.sample = outcome.sample;
        candidate.sampled = true;
        settle(entry, outcome.finding, now);
    } else if (outcome.finding == Finding::steady) {
        candidate.was_writing = false;
        candidate.quiet_from = now;
        settle(entry, Finding::sampled, now);
    } else if (outcome.finding == Finding::unprovable) {
        candidate.unprovable = true;
        settle(entry, Finding::sampled, now);
    } else {
        stick(entry, outcome.finding, outcome.error, now);
    }
    if (again) restart(entry, *again, now);
}

std::optional<Instant> SettleTable::next_due(bool may_claim) const {
    std::optional<Instant> next;
    const auto consider = [&](const Entry* entry, Duration later) {
        if (entry && (!next || entry->second.due + later < *next)) next = entry->second.due + later;
    };
    consider(first_of(Phase::sampling), Duration(0));
    if (!may_claim) return next;
    consider(first_of(Phase::stuck), Duration(0));
    if (rules_.order == Order::none) {
        consider(first_of(Phase::settling), Duration(0));
    } else if (!filling_ || full()) {
        consider(order_.empty() ? nullptr : *order_.begin(), Duration(0));
        consider(first_of(Phase::settling), rules_.settle);
    }
    return next;
}

SettleTable::Entry* SettleTable::admit(DirId dir, std::string_view name, Instant now) {
    const auto found = entries_.find(CandidateKey::View{dir, name});
    if (found != entries_.end()) return &*found;
    if (entries_.size() >= rules_.capacity && !make_room()) return nullptr;
    Entry& entry = *entries_.try_emplace(CandidateKey{dir, std::string(name)}).first;
    entry.second.quiet_from = now;
    entry.second.since = now;
    if (rules_.marker.set()) markers_.emplace(rules_.marker.path_for(name), &entry);
    file(entry, Phase::sampling, now);
    return &entry;
}

/// What is stuck may be forgotten: the next scan finds it again.
bool SettleTable::make_room() {
    if (due_.empty() || (*due_.rbegin())->second.phase != Phase::stuck) return false;
    erase(**due_.rbegin());
    return true;
}

void SettleTable::erase(Entry& entry) {
    unfile(entry);
    refused_.erase(&entry);
    if (rules_.marker.set()) {
        const auto [from, to] = markers_.equal_range(rules_.marker.path_for(entry.first.name));
        markers_.erase(std::find_if(from, to, [&](const auto& m) { return m.second == &entry; }));
    }
    entries_.erase(entry.first);
}

void SettleTable::file(Entry& entry, Phase phase, Instant due) {
    Candidate& candidate = entry.second;
    candidate.phase = phase;
    candidate.due = due;
    candidate.turn = next_++;
    due_.insert(&entry);
    if (phase == Phase::settling && rules_.order != Order::none) order_.insert(&entry);
    if (phase == Phase::stuck) ++stuck_;
}

void SettleTable::unfile(Entry& entry) {
    if (entry.second.phase == Phase::looking) return;
    due_.erase(&entry);
    if (entry.second.phase == Phase::settling) order_.erase(&entry);
    if (entry.second.phase == Phase::stuck) --stuck_;
}

/// A sign of the file: what was known of it no longer counts.
void SettleTable::restart(Entry& entry, Sign sign, Instant now) {
    unfile(entry);
    refused_.erase(&entry);
    Candidate& candidate = entry.second;
    candidate.quiet_from = now;
    candidate.since = now;
    candidate.sampled = false;
    candidate.was_writing = false;
    candidate.misses = 0;
    candidate.promised = sign == Sign::moved_in;
    candidate.reason = sign == Sign::created ? Finding::writing : Finding::sampled;
    if (sign == Sign::created) {
        file(entry, Phase::sampling, now + std::max(rules_.settle, kCreatedGrace));
        return;
    }
    const bool at_once = candidate.promised || rules_.settle.count() == 0;
    file(entry, at_once && rules_.order == Order::none ? Phase::settling : Phase::sampling, now);
}

void SettleTable::settle(Entry& entry, Finding reason, Instant now) {
    Candidate& candidate = entry.second;
    if (candidate.reason != reason) candidate.since = now;
    candidate.reason = reason;
    refused_.erase(&entry);
    const Duration quiet = candidate.promised     ? Duration(0)
                           : candidate.unprovable ? std::max(rules_.settle, kUnproven)
                                                  : rules_.settle;
    file(entry, Phase::settling, std::max(now, candidate.quiet_from + quiet));
}

void SettleTable::stick(Entry& entry, Finding why, int error, Instant now) {
    Candidate& candidate = entry.second;
    if (candidate.reason != why) {
        candidate.since = now;
        candidate.misses = 0;
    }
    candidate.reason = why;
    candidate.error = error;
    const bool refused = why == Finding::denied || why == Finding::broken;
    if (refused) refused_.insert(&entry);
    if (!refused) refused_.erase(&entry);
    if (why == Finding::writing) {
        candidate.was_writing = true;
        candidate.quiet_from = now;
        candidate.promised = false;
    }
    const Pause pause = pause_of(why);
    Duration wait = pause.base;
    for (int i = 0; i < candidate.misses && wait < pause.cap; ++i) wait *= 2;
    if (candidate.misses < UINT8_MAX) ++candidate.misses;
    file(entry, Phase::stuck, now + std::min(wait, pause.cap));
}

SettleTable::Entry* SettleTable::first_of(Phase phase) const {
    // The set is ordered by phase first; the probe sorts before all of its phase.
    Entry probe{};
    probe.second.phase = phase;
    probe.second.due = Instant::min();
    const auto found = due_.lower_bound(&probe);
    return found == due_.end() || (*found)->second.phase != phase ? nullptr : *found;
}

}  // namespace musher::hotfolder
