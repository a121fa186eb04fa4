// What a hot folder says of itself: status, why a file waits, and a probe before it is trusted.
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>

#include "reactor/base/log.h"
#include "reactor/base/text.h"
#include "reactor/loop/offload.h"
#include "sources/farewell.h"
#include "sources/folder_probe.h"
#include "sources/hotfolder.h"

namespace musher::hotfolder {

namespace {
std::int64_t count_ms(Duration span) {
    return std::chrono::duration_cast<milliseconds>(span).count();
}

/// Of what lies at a path; 0 for nothing.
struct Lies {
    mode_t mode = 0;
    std::int64_t ctime_ns = 0;  // also of its last rename
};

Lies look_at(const std::string& path) {
    struct stat status{};
    if (::lstat(path.c_str(), &status) != 0) return {};
    return {status.st_mode, sample_of(status).ctime_ns};
}

Why answer(std::string state, std::string reason, std::string detail) {
    Why why;
    why.state = std::move(state);
    why.reason = std::move(reason);
    why.detail = std::move(detail);
    return why;
}

/// What a candidate's last look says: the reason, and what to do about it.
std::pair<std::string, std::string> reason_of(const Candidate& candidate,
                                              const HotfolderRules& rules) {
    const std::string text = errno_error(candidate.error, "taking the file").text();
    switch (candidate.reason) {
        case Finding::writing:
            return {"writing", "a program has it open for writing, or has just made it"};
        case Finding::marker_missing:
            return {"marker_missing", "its marker file is not there yet"};
        case Finding::too_small:
            return {"too_small", "smaller than min_size, " + format_size(rules.look.min_size)};
        case Finding::denied:
            return {"permission", text + "; musher must read it and write its folder"};
        case Finding::broken:
            if (candidate.error != ENAMETOOLONG) return {"permission", text};
            return {"permission", text +
                                      "; its path must leave room for that of its claim in "
                                      ".musher/work and those in done and failed"};
        case Finding::odd:
            return {"ignored", "not a regular file"};
        default:
            break;
    }
    if (candidate.unprovable) {
        return {"settling",
                "no lease says that its writer is gone (another user's file, or a network file "
                "system; CAP_LEASE helps), so a longer quiet must do"};
    }
    return {"settling", "quiet for less than settle, " + format_duration(rules.settle.settle)};
}
}  // namespace

Json Hotfolder::status() const {
    const std::string& trouble = trouble_.empty() ? left_ : trouble_;
    Json row{{"ok", trouble.empty()}, {"detail", trouble}, {"duplicates", duplicates_seen_}};
    if (!patrol_ || !table_) return row;
    if (trouble.empty()) row["detail"] = patrol_->detail();
    row["refused"] = table_->refused();
    if (trouble.empty() && table_->refused() > 0) {
        row["ok"] = false;
        row["detail"] = refused_detail();
    }
    row["watch"] = patrol_->way();
    row["folders"] = patrol_->folders().size();
    row["settling"] = table_->size() - table_->stuck();
    row["stuck"] = table_->stuck();
    row["scanning"] = patrol_->scanning();
    return row;
}

/// How many files are refused, one by name, and the remedy.
std::string Hotfolder::refused_detail() const {
    const auto& [key, candidate] = table_->a_refused();
    const std::string* subfolder = patrol_->folders().path(key.dir);
    const std::string name = join_relative(subfolder ? *subfolder : "", key.name);
    const std::size_t others = table_->refused() - 1;
    return fmt::format("{}{} cannot be taken: {}", escape_name(name),
                       others > 0 ? fmt::format(" and {} more", others) : "",
                       reason_of(candidate, rules_).second);
}

void Hotfolder::tell_of_refused(bool before) {
    if (before || table_->refused() == 0) return;
    log::warning("hotfolder.refused", Json{{"pipeline", context_.pipeline},
                                           {"folder", rules_.folder},
                                           {"reason", refused_detail()}});
}

Why Hotfolder::explain(const Candidate& candidate) const {
    auto [reason, detail] = reason_of(candidate, rules_);
    if (paused_ || context_.out.room() == 0) {
        Why pause = explain_pause();
        reason = std::move(pause.reason);
        detail = std::move(pause.detail);
    }
    const Instant now = context_.loop.clock().now();
    Why why = answer("waiting", std::move(reason), std::move(detail));
    why.since_ms = context_.loop.clock().wall_ms() - count_ms(now - candidate.since);
    const bool timed = candidate.phase != Phase::looking && candidate.due > now;
    why.next_check_ms = timed ? count_ms(candidate.due - now) + 1 : 0;
    return why;
}

/// By its kind and its name: an empty state means that it may be taken.
Why Hotfolder::explain_refusal(const std::string& relative, unsigned mode) const {
    const auto [subfolder, name] = split_relative(relative);
    const ScanRules& scan = patrol_ ? patrol_->rules() : rules_.scan;
    for (const std::string& excluded : scan.excluded) {
        if (relative == excluded || relative.starts_with(excluded + "/")) {
            return answer("ignored", "ignored", excluded + " is musher's own folder");
        }
        if (scan.folders_are_items && excluded.starts_with(relative + "/")) {
            return answer("ignored", "ignored", "it holds musher's own folder " + excluded);
        }
    }
    if (!subfolder.empty() && !rules_.scan.enter_folders) {
        return answer("ignored", "ignored", "in a subfolder, and recursive is not set");
    }
    const bool whole = rules_.look.whole_folders;
    if (S_ISLNK(mode)) return answer("ignored", "ignored", "a symlink: what it names is not taken");
    if (S_ISDIR(mode) && !whole) {
        return answer("ignored", "ignored",
                      rules_.scan.enter_folders ? "a folder: its files are taken one by one"
                                                : "a folder, and recursive is not set");
    }
    if (S_ISREG(mode) && whole) {
        return answer("ignored", "ignored", "a file, and unit: folder takes folders");
    }
    if (mode != 0 && !S_ISREG(mode) && !S_ISDIR(mode)) {
        return answer("ignored", "ignored", "neither a file nor a folder");
    }
    switch (rules_.scan.names.judge(subfolder, name)) {
        case NameRules::Verdict::ignored:
            return answer("ignored", "ignored", "its name is one of `ignore`");
        case NameRules::Verdict::marker:
            return answer("ignored", "ignored", "it is a marker");
        case NameRules::Verdict::unmatched:
            if (rules_.fail_unmatched) break;
            return answer("ignored", "unmatched", "its name is none of `match`");
        case NameRules::Verdict::wanted:
            break;
    }
    return {};
}

/// A file that lies in its place and may be taken.
Why Hotfolder::explain_present(const std::string& relative) const {
    const auto [subfolder, name] = split_relative(relative);
    const std::optional<DirId> dir =
        patrol_ ? patrol_->folders().find(subfolder) : std::optional<DirId>();
    const Candidate* candidate = dir ? table_->find(*dir, name) : nullptr;
    if (candidate) return explain(*candidate);
    const Standing* standing = standing_at(absolute(relative));
    if (standing && standing->id.empty()) {
        return answer("ignored", "unmatched", "`when` was false for it; it stays until it changes");
    }
    if (standing) {
        Why taken = answer("taken", settled_.holds(standing->id) ? "done" : "running", "");
        taken.job = standing->id;
        return taken;
    }
    if (!trouble_.empty()) return answer("waiting", "permission", trouble_);
    if (paused_) return explain_pause();
    return answer("waiting", "settling", "not seen yet; the next scan finds it");
}

Why Hotfolder::explain_pause() const {
    if (paused_ == PauseReason::ordered) {
        return answer("waiting", "paused",
                      "the pipeline is paused: musher jobs resume " + context_.pipeline);
    }
    return answer("waiting", "queue_full", "limits.waiting jobs are waiting already");
}

Task<Why> Hotfolder::why(std::string path, Cancel& cancel) {
    if (path == rules_.folder) {
        co_return answer("ignored", "ignored", "the watched folder itself: ask about a file in it");
    }
    const std::string below = absolute("");
    if (!path.starts_with(below)) co_return Why();
    const std::string relative = path.substr(below.size());
    const std::size_t slash = relative.find('/');
    if (rules_.look.whole_folders && slash != std::string::npos &&
        explain_refusal(relative.substr(0, slash), S_IFDIR).state.empty()) {
        std::string unit = path.substr(0, below.size() + slash);
        const std::string belongs = "it belongs to the folder " + escape_name(unit);
        Why whole = co_await why(std::move(unit), cancel);
        whole.detail = whole.detail.empty() ? belongs : belongs + ": " + whole.detail;
        co_return whole;
    }
    co_return co_await explain_file(std::move(path), relative);
}

Task<Why> Hotfolder::explain_file(std::string path, std::string relative) {
    std::string done;
    std::string failed;
    const bool moves = rules_.done.way == Farewell::Way::move;
    Lies here;
    Lies in_done;
    Lies in_failed;
    auto look = [&] {
        done = place_in(rules_.done.folder, relative);
        failed = place_in(rules_.failed, relative);
        here = look_at(path);
        if (moves) in_done = look_at(done);
        in_failed = look_at(failed);
        return 0;
    };
    co_await offload(context_.loop, look);
    Why refused = explain_refusal(relative, here.mode);
    if (!refused.state.empty()) co_return refused;
    if (here.mode != 0) co_return explain_present(relative);
    if (const auto job = taken_.find(path); job != taken_.end()) {
        Why taken = answer("taken", "running", "");
        taken.job = job->second;
        co_return taken;
    }
    if (in_done.mode == 0 && in_failed.mode == 0) {
        co_return answer("gone", "gone", "there is no such file");
    }
    // Both: of two files with this name the one that went last is meant.
    if (in_failed.ctime_ns > in_done.ctime_ns) {
        co_return answer("dead", "dead",
                         "its original is " + escape_name(failed) + ", with a report beside it");
    }
    co_return answer("done", "done", "its original is " + escape_name(done));
}

Task<std::vector<Problem>> Hotfolder::probe(Cancel&) {
    const PremisesWish asked = wish();
    auto test = [&asked] { return probe_folder(asked); };
    co_return co_await offload(context_.loop, test);
}

}  // namespace musher::hotfolder
