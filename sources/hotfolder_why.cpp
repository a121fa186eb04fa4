// What a hot folder says of itself: status, why a file waits, and a probe before it is trusted.
#include <fmt/format.h>
#include <sys/stat.h>

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

bool exists(const std::string& path) {
    struct stat status{};
    return ::lstat(path.c_str(), &status) == 0;
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
            return {"permission", text};
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
    row["watch"] = patrol_->way();
    row["folders"] = patrol_->folders().size();
    row["settling"] = table_->size() - table_->stuck();
    row["stuck"] = table_->stuck();
    row["scanning"] = patrol_->scanning();
    return row;
}

Why Hotfolder::explain(const Candidate& candidate) const {
    auto [reason, detail] = reason_of(candidate, rules_);
    if (paused_) {
        reason = "paused";
    } else if (context_.out.room() == 0) {
        reason = "queue_full";
        detail = "limits.waiting jobs are waiting already";
    }
    const Instant now = context_.loop.clock().now();
    Why why = answer("waiting", std::move(reason), std::move(detail));
    why.since_ms = context_.loop.clock().wall_ms() - count_ms(now - candidate.since);
    const bool timed = candidate.phase != Phase::looking && candidate.due > now;
    why.next_check_ms = timed ? count_ms(candidate.due - now) + 1 : 0;
    return why;
}

/// By what is in memory; an empty state means that only the disk can tell.
Why Hotfolder::explain(const std::string& relative) const {
    const std::size_t slash = relative.rfind('/');
    const std::string subfolder = slash == std::string::npos ? "" : relative.substr(0, slash);
    const std::string name = relative.substr(slash == std::string::npos ? 0 : slash + 1);
    for (const std::string& excluded : rules_.scan.excluded) {
        if (relative == excluded || relative.starts_with(excluded + "/")) {
            return answer("ignored", "ignored", excluded + " is musher's own folder");
        }
    }
    if (!subfolder.empty() && !rules_.scan.enter_folders) {
        return answer("ignored", "ignored", "in a subfolder, and recursive is not set");
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
    const std::optional<DirId> dir =
        patrol_ ? patrol_->folders().find(subfolder) : std::optional<DirId>();
    if (!dir) return {};
    if (const Candidate* candidate = table_->find(*dir, name)) return explain(*candidate);
    const auto standing = standing_.find(CandidateKey::View{*dir, name});
    if (standing == standing_.end()) return {};
    if (standing->second.id.empty()) {
        return answer("ignored", "unmatched", "`when` was false for it; it stays until it changes");
    }
    Why why = answer("taken", "running", "");
    why.job = standing->second.id;
    return why;
}

Task<Why> Hotfolder::why(std::string path, Cancel&) {
    const std::string below = rules_.folder == "/" ? "/" : rules_.folder + "/";
    if (!path.starts_with(below)) co_return Why();
    const std::string relative = path.substr(below.size());
    if (const auto job = taken_.find(path); job != taken_.end()) {
        Why taken = answer("taken", "running", "");
        taken.job = job->second;
        co_return taken;
    }
    Why known = explain(relative);
    if (!known.state.empty()) co_return known;
    const std::string done = rules_.done.folder + "/" + relative;
    const std::string failed = rules_.failed + "/" + relative;
    const bool moves = rules_.done.way == Farewell::Way::move;
    auto look = [&] {
        if (exists(path)) return 1;
        if (moves && exists(done)) return 2;
        return exists(failed) ? 3 : 4;
    };
    switch (co_await offload(context_.loop, look)) {
        case 1:
            if (!trouble_.empty()) co_return answer("waiting", "permission", trouble_);
            co_return answer("waiting", paused_ ? "paused" : "settling",
                             "not seen yet; the next scan finds it");
        case 2:
            co_return answer("done", "done", "its original is " + escape_name(done));
        case 3:
            co_return answer("dead", "dead", "its original and a report are in " + rules_.failed);
        default:
            co_return answer("gone", "gone", "there is no such file");
    }
}

Task<std::vector<Problem>> Hotfolder::probe(Cancel&) {
    const PremisesWish asked = wish();
    auto test = [&asked] { return probe_folder(asked); };
    co_return co_await offload(context_.loop, test);
}

}  // namespace musher::hotfolder
