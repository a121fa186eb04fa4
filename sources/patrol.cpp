#include "sources/patrol.h"

#include <cerrno>

#include "reactor/base/limits.h"
#include "reactor/base/log.h"
#include "reactor/base/text.h"
#include "reactor/loop/offload.h"

namespace musher::hotfolder {

/// What one pool call found when it opened a folder.
struct Patrol::Visit {
    std::unique_ptr<DirScan> scan;  // null: `error`
    int error = 0;
    bool there = true;  // the hot folder itself
    int wd = -1;
    int watch_error = 0;
    bool events = true;  // of this file system
};

namespace {
ScanRules rules_in(const Premises& premises, ScanRules rules) {
    rules.excluded.insert(rules.excluded.end(), premises.asides.begin(), premises.asides.end());
    return rules;
}
}  // namespace

Patrol::Patrol(Loop& loop, std::shared_ptr<const Premises> premises, Wish wish)
    : loop_(loop),
      premises_(std::move(premises)),
      wish_(std::move(wish)),
      rules_(rules_in(*premises_, wish_.rules.scan)),
      poll_(loop, *this, wish_.rules.poll),
      rescan_(loop, *this, wish_.rules.rescan) {}

Result<void> Patrol::start() {
    if (wish_.rules.watch != WatchMode::poll) {
        Result<std::unique_ptr<InotifyWatch>> opened = InotifyWatch::open(loop_, *this);
        if (opened) {
            inotify_ = std::move(*opened);
        } else if (wish_.rules.watch == WatchMode::inotify) {
            return fail(opened.error());
        } else {
            detail_ = opened.error().text() + "; polling instead: " + opened.error().hint;
        }
    }
    on_suspect(folders_.add(""));
    return {};
}

std::string_view Patrol::way() const {
    if (poll_.size() == 0) return inotify_ ? "inotify" : "poll";
    return inotify_ && inotify_->watches() > 0 ? "inotify+poll" : "poll";
}

bool Patrol::room() const {
    const SettleTable& table = wish_.table;
    const std::size_t moving = table.size() - table.stuck();
    return moving + limits::kScanWindow <= wish_.rules.settle.capacity;
}

Task<bool> Patrol::scan_some() {
    wish_.table.set_filling(scanning() && room());
    if (!room()) co_return false;
    if (!current_ && !co_await open_next()) co_return false;
    if (!current_) co_return true;
    DirScan* scan = current_->scan.get();
    const ScanRules* rules = &rules_;
    auto read = [scan, rules] { return scan->next(*rules); };
    DirScan::Window window = co_await offload(loop_, read);
    const DirId dir = current_->dir;
    if (window.end) current_.reset();
    if (folders_.path(dir)) see(dir, window);
    wish_.table.set_filling(scanning() && room());
    co_return true;
}

/// False: no folder waits for a scan.
Task<bool> Patrol::open_next() {
    if (waiting_.empty()) co_return false;
    const DirId dir = waiting_.front();
    waiting_.pop_front();
    queued_.erase(dir);
    const std::string* path = folders_.path(dir);
    if (!path) co_return true;
    const std::string subfolder = *path;
    const Premises* premises = premises_.get();
    const int inotify = inotify_ ? inotify_->fd() : -1;
    auto open = [premises, &subfolder, inotify] { return visit(*premises, subfolder, inotify); };
    Visit visited = co_await offload(loop_, open);
    lost_ = lost_ || !visited.there;
    if (!visited.scan) {
        if (visited.error != ENOENT) {
            detail_ = errno_error(visited.error, "reading " + escape_name(subfolder)).text();
        }
        if (!subfolder.empty() && visited.error == ENOENT) forget(dir);
        if (subfolder.empty()) lost_ = true;
        co_return true;
    }
    watch(dir, visited);
    current_.emplace(Current{dir, std::move(visited.scan)});
    co_return true;
}

Patrol::Visit Patrol::visit(const Premises& premises, const std::string& subfolder, int inotify) {
    Visit visit;
    if (subfolder.empty()) visit.there = still_there(premises);
    Fd folder = open_beneath(premises.root, subfolder);
    if (!folder) {
        visit.error = errno;
        return visit;
    }
    if (const Result<FsTraits> traits = traits_of(folder)) visit.events = traits->events;
    if (inotify >= 0) {
        visit.wd = InotifyWatch::add(inotify, folder);
        if (visit.wd < 0) visit.watch_error = errno;
    }
    visit.scan = std::make_unique<DirScan>(std::move(folder), subfolder);
    return visit;
}

void Patrol::watch(DirId dir, const Visit& visit) {
    // Where events tell of this host's writers only, they are still quicker than polling.
    if (visit.wd >= 0 && inotify_->bind(visit.wd, dir)) on_suspect(dir);
    const bool trusted = wish_.rules.watch == WatchMode::inotify || visit.events;
    if (visit.wd >= 0 && trusted) {
        poll_.remove(dir);
        rescan_.add(dir);
        return;
    }
    if (visit.watch_error != 0 && detail_.empty()) {
        const std::string hint = inotify_hint(visit.watch_error);
        detail_ = errno_error(visit.watch_error, "watching").text() + "; polling instead";
        if (!hint.empty()) detail_ += ", until " + hint;
        log::warning("hotfolder.polling", Json{{"folder", premises_->folder}, {"reason", detail_}});
    }
    rescan_.remove(dir);
    poll_.add(dir);
}

void Patrol::see(DirId dir, DirScan::Window& window) {
    const Instant now = loop_.clock().now();
    if (window.error != 0) detail_ = errno_error(window.error, "reading a folder").text();
    for (Found& found : window.found) {
        if (found.enter) {
            const std::string path = join_relative(*folders_.path(dir), found.name);
            if (!folders_.find(path)) on_suspect(folders_.add(path));
        } else if (found.folder) {
            if (!wish_.known({dir, found.name}, found.sample)) {
                wish_.table.sight(dir, found.name, Sign::found, now);
            }
        } else if (!wish_.known({dir, found.name}, found.sample)) {
            wish_.table.sight(dir, found.name, found.sample, now);
        }
    }
}

void Patrol::on_entry(DirId dir, std::string_view name, Sign sign, bool folder) {
    const std::string* subfolder = folders_.path(dir);
    if (!subfolder) return;
    const EntryUse use = use_of(rules_, *subfolder, name, folder);
    if (use.enter) {
        // Moved here or new: in both cases what it holds is only seen by a scan.
        on_suspect(folders_.add(join_relative(*subfolder, name)));
        return;
    }
    const Instant now = loop_.clock().now();
    if (use.item) {
        // No room: it is found by the scan that follows when there is some.
        if (!wish_.table.sight(dir, name, sign, now)) on_suspect(dir);
    } else if (!folder && rules_.names.judge(*subfolder, name) == NameRules::Verdict::marker) {
        wish_.table.marker_came(dir, name, now);
    } else {
        return;
    }
    wish_.bell.ring();
}

void Patrol::on_suspect(DirId dir) {
    if (!folders_.path(dir) || !queued_.insert(dir).second) return;
    waiting_.push_back(dir);
    wish_.bell.ring();
}

void Patrol::on_overflow() {
    log::warning("hotfolder.overflow", Json{{"folder", premises_->folder},
                                            {"hint", "sysctl -w fs.inotify.max_queued_events"}});
    for (const DirId dir : folders_.all()) on_suspect(dir);
}

void Patrol::forget(DirId dir) {
    for (const DirId gone : folders_.forget(dir)) {
        poll_.remove(gone);
        rescan_.remove(gone);
        if (inotify_) inotify_->unbind(gone);
    }
}

}  // namespace musher::hotfolder
