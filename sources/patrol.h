// Patrol: watches and scans the folders of a hot folder, and tells the settle table what it sees.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>

#include "reactor/loop/loop.h"
#include "reactor/task/doorbell.h"
#include "sources/folder_map.h"
#include "sources/hotfolder_rules.h"
#include "sources/inotify_watch.h"
#include "sources/poll_watch.h"
#include "sources/premises.h"
#include "sources/scan.h"

namespace musher::hotfolder {

/// Lives as long as one Premises. A folder is watched first and scanned then, so that nothing
/// that comes in between is missed; a slow scan of all of them finds what events did not tell.
/// Loop thread only.
class Patrol final : private WatchListener {
  public:
    struct Wish {
        const HotfolderRules& rules;
        SettleTable& table;
        Doorbell& bell;  // rung when there is something to do
        /// A file that stays in place and is known already: no candidate.
        std::function<bool(const CandidateKey::View&, const FileSample&)> known;
    };
    Patrol(Loop& loop, std::shared_ptr<const Premises> premises, Wish wish);

    /// Opens the watch and asks for the first scan. Without inotify (`detail()` says why) it polls.
    Result<void> start();
    /// One window of the folder whose turn it is. False: nothing to scan, or no room in the table.
    Task<bool> scan_some();
    void suspect(DirId dir) { on_suspect(dir); }

    const FolderMap& folders() const { return folders_; }
    const ScanRules& rules() const { return rules_; }
    /// The hot folder itself is gone, or another one lies on its path: open it anew.
    bool lost() const { return lost_; }
    void lose() { lost_ = true; }
    bool scanning() const { return current_.has_value() || !waiting_.empty(); }
    std::string_view way() const;  // "inotify", "poll", or "inotify+poll"
    const std::string& detail() const { return detail_; }

  private:
    struct Visit;
    struct Current {
        DirId dir;
        std::unique_ptr<DirScan> scan;
    };
    void on_entry(DirId dir, std::string_view name, Sign sign, bool folder) override;
    void on_suspect(DirId dir) override;
    void on_overflow() override;

    static Visit visit(const Premises& premises, const std::string& subfolder, int inotify);
    Task<bool> open_next();
    void watch(DirId dir, const Visit& visit);
    void see(DirId dir, DirScan::Window& window);
    void forget(DirId dir);
    bool room() const;

    Loop& loop_;
    std::shared_ptr<const Premises> premises_;
    Wish wish_;
    const ScanRules rules_;  // the wish's, and what is put aside inside
    FolderMap folders_;
    std::unique_ptr<InotifyWatch> inotify_;
    PollWatch poll_;    // folders without events
    PollWatch rescan_;  // the others
    std::deque<DirId> waiting_;
    std::unordered_set<DirId> queued_;  // in waiting_
    std::optional<Current> current_;
    std::string detail_;
    bool lost_ = false;
};

}  // namespace musher::hotfolder
