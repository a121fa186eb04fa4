// hotfolder: files that appear in a folder become events.
//
// One file's way through this room: Patrol sees it (inotify, polling, scans) → SettleTable says
// when it is worth a look → Looker proves that it is whole and claims it by rename → an Event is
// sent → its Settlement comes back and farewell puts the original away.
#pragma once

#include <unordered_map>
#include <unordered_set>

#include "reactor/component/source.h"
#include "reactor/task/doorbell.h"
#include "sources/claims.h"
#include "sources/hotfolder_rules.h"
#include "sources/patrol.h"
#include "sources/settle_table.h"
#include "sources/settled_ids.h"

namespace musher {

const Spec& hotfolder_spec();
Result<std::unique_ptr<Source>> make_hotfolder(const Options& options,
                                               const SourceContext& context);

namespace hotfolder {

/// Loop thread only.
class Hotfolder final : public Source {
  public:
    Hotfolder(HotfolderRules rules, const SourceContext& context);

    Task<Result<void>> run(Cancel& stop) override;
    void pause(PauseReason why) override { paused_ = why; }
    void resume() override;
    Task<Result<void>> settle(std::vector<Settlement>& ended, Cancel& cancel) override;
    Task<Result<void>> recall(Event event, Cancel& cancel) override;
    Task<std::string> whereabouts(Event event, musher::Outcome outcome) override;
    void recheck() override;
    Task<Result<void>> retire(Cancel& cancel) override;
    Json status() const override;
    Task<Why> why(std::string path, Cancel& cancel) override;
    Task<std::vector<Problem>> probe(Cancel& cancel) override;

  private:
    struct Sent;
    /// A file that stays where it is and whose event is known.
    struct Standing {
        FileSample sample;
        std::string id;  // empty: `when` was false
        int hops = 0;
    };
    using Standings =
        std::unordered_map<CandidateKey, Standing, CandidateKey::Hash, std::equal_to<>>;
    struct Item {
        std::string id;
        std::string original;  // absolute: where people find (or found) it
        std::string file;      // where it is now
        FileSample sample;
        int hops = 0;
    };

    PremisesWish wish() const;
    Task<void> remember_settled();
    Task<void> save_settled();
    Task<Result<void>> work(Cancel& stop);
    Task<Result<void>> turns(Cancel& stop);
    Task<void> guard(Cancel& over);
    Task<Result<void>> recover(bool at_start, Cancel& stop);
    Task<Result<void>> recover_some(std::vector<Item> items, Cancel& stop);
    Task<Result<std::vector<Item>>> unfinished();
    Task<Result<std::vector<Presence>>> ask(const std::vector<Item>& items, Cancel& stop);
    Task<Result<void>> act(std::vector<Item> items, std::vector<Presence> known, Cancel& stop);
    Task<Result<bool>> look_some(Cancel& stop);
    bool unmatched(const LookRequest& request) const;
    std::vector<LookRequest> requests_for(const std::vector<Look>& looks) const;
    Task<Result<void>> take(const std::vector<LookRequest>& requests,
                            std::vector<LookResult>& results, Cancel& stop);
    Task<void> drop_markers(const std::vector<LookRequest>& requests,
                            const std::vector<LookResult>& results);
    Task<Result<void>> emit(std::vector<Item> items, Cancel& stop);
    Task<Result<void>> move_away(std::vector<Settlement>& ended, Cancel& cancel);
    Task<void> try_to_settle(std::vector<Settlement> ended, Cancel& cancel);
    Task<void> fail_unmatched(std::vector<Item> items, Cancel& stop);
    Task<Result<void>> refuse_done(Settlement& one, Cancel& cancel);
    Task<void> return_refused(Cancel& stop);
    Task<void> rest(Cancel& stop);
    void trouble(const Error& error);
    void tell_of_refused(bool before);
    std::string refused_detail() const;
    void answered(Item item, Admission admission);
    void rejected(const std::string& id);
    void recover_later();
    std::string absolute(const std::string& relative) const;
    bool known(const CandidateKey::View& key, const FileSample& sample) const;
    void remember(CandidateKey key, const FileSample& sample, const std::string& id, int hops);
    const Standing* standing_at(const std::string& original) const;
    bool stands(const LookRequest& request, const Item& item);
    Event event_of(const Item& item) const;
    Event unadmitted(const Item& item) const;
    void forget(const Settlement& one);
    void untake(const std::string& original, const std::string& id);
    Why explain(const Candidate& candidate) const;
    Why explain_refusal(const std::string& relative, unsigned mode) const;
    Why explain_present(const std::string& relative) const;
    Task<Why> explain_file(std::string path, std::string relative);
    Why explain_pause() const;

    const HotfolderRules rules_;
    const SourceContext context_;
    std::optional<SettleTable> table_;  // of this life of the premises
    Doorbell bell_;
    Waiters resumed_;
    std::shared_ptr<const Premises> premises_;
    std::unique_ptr<Patrol> patrol_;
    Standings standing_;
    std::unordered_map<std::string, std::string> taken_;  // original → job, until it is put away
    std::vector<Item> unwanted_;                          // `when` was false: back to their places
    std::vector<Item> duplicates_;                        // done with
    std::unordered_set<std::string> admitting_;  // sent; not in the queue or back in place yet
    std::unordered_set<std::string> suspects_;   // claims that no job was found for
    std::unordered_set<std::string> leaving_;    // being put away
    Waiters arrived_;                            // woken when some of them are put away
    std::unordered_set<std::string> recalled_;   // brought back for a replay
    SettledIds settled_;
    std::uint64_t duplicates_seen_ = 0;
    std::string trouble_;
    std::string left_;  // why an original could not be put away
    std::optional<Instant> recover_at_;
    std::string unsaved_;  // why settled_ is not on the disk
    std::optional<PauseReason> paused_;
};

}  // namespace hotfolder
}  // namespace musher
