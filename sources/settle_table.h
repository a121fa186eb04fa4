// SettleTable: the files that are not ready yet, and when to look at each of them again.
//
// Pure: it is told what was seen and what looks found, and says what to look at next. Ready means
// moved in, or unchanged for `settle` since the last sign of a writer; the look itself then proves
// by a read lease that nobody has the file open for writing. Where leases are refused, only a
// longer quiet counts. Size alone never does.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "reactor/base/clock.h"
#include "sources/candidate.h"
#include "sources/name_rules.h"

namespace musher::hotfolder {

struct SettleRules {
    Duration settle = std::chrono::seconds(1);
    Order order = Order::none;
    std::size_t capacity = 0;
    MarkerPattern marker = {};
    bool whole_folders = false;  // nobody tells of a change below: only samples can
};

/// Loop thread only. Every `now` is of one monotonic clock.
class SettleTable {
  public:
    explicit SettleTable(SettleRules rules);
    SettleTable(const SettleTable&) = delete;

    /// False: the table is full and the file was not taken down; a later scan finds it again.
    bool sight(DirId dir, std::string_view name, Sign sign, Instant now);
    /// A scan saw the file; it starts to settle, or starts anew when it has changed.
    bool sight(DirId dir, std::string_view name, const FileSample& sample, Instant now);
    /// A marker appeared: its files are ready at once.
    void marker_came(DirId dir, std::string_view marker, Instant now);

    /// Up to `most` looks to make now, in order; each must be answered by report(). Without
    /// `may_claim` only those that cannot end in a claim (the queue is full, the source paused).
    std::vector<Look> take(Instant now, std::size_t most, bool may_claim);
    void report(const Look& look, const Outcome& outcome, Instant now);
    /// Nothing when there is nothing to wait for.
    std::optional<Instant> next_due(bool may_claim) const;

    /// While a scan fills the table an ordered one gives nothing, unless it is full.
    void set_filling(bool filling) { filling_ = filling; }
    /// A scan had better wait: what is here is on its way out.
    bool full() const { return entries_.size() - stuck() >= rules_.capacity; }
    std::size_t size() const { return entries_.size(); }
    const Candidate* find(DirId dir, std::string_view name) const;
    /// How many wait for something other than time: open writers, markers, permissions.
    std::size_t stuck() const { return stuck_; }
    /// How many may not be read or moved, and one of them.
    std::size_t refused() const { return refused_.size(); }
    const std::pair<const CandidateKey, Candidate>& a_refused() const { return **refused_.begin(); }

  private:
    using Entries =
        std::unordered_map<CandidateKey, Candidate, CandidateKey::Hash, std::equal_to<>>;
    using Entry = Entries::value_type;
    struct ByDue {
        bool operator()(const Entry* a, const Entry* b) const;
    };
    struct ByOrder {
        Order order;
        bool operator()(const Entry* a, const Entry* b) const;
    };

    Entry* admit(DirId dir, std::string_view name, Instant now);
    bool make_room();
    void erase(Entry& entry);
    void file(Entry& entry, Phase phase, Instant due);
    void unfile(Entry& entry);
    void restart(Entry& entry, Sign sign, Instant now);
    void settle(Entry& entry, Finding reason, Instant now);
    void stick(Entry& entry, Finding why, int error, Instant now);
    void hand_out(Entry& entry, Instant now, std::vector<Look>& looks);
    void take_ordered(Instant now, std::size_t most, std::vector<Look>& looks);
    void take_due(Phase phase, Instant now, std::size_t most, std::vector<Look>& looks);
    Entry* first_of(Phase phase) const;

    SettleRules rules_;
    Entries entries_;
    std::set<Entry*, ByDue> due_;      // all but those being looked at
    std::set<Entry*, ByOrder> order_;  // settling ones, when ordered
    std::unordered_multimap<std::string, Entry*> markers_;
    std::unordered_set<const Entry*> refused_;
    std::size_t stuck_ = 0;
    std::uint64_t next_ = 0;
    bool filling_ = false;
};

}  // namespace musher::hotfolder
