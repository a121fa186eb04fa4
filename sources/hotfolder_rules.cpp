#include "sources/hotfolder_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "reactor/base/limits.h"
#include "reactor/base/text.h"

namespace musher::hotfolder {

namespace {
// Candidates are small; a window of a scan must fit beside what already waits.
constexpr std::size_t kCandidates = 8 * limits::kScanWindow;

std::string clean(const std::string& path) {
    std::string text = std::filesystem::path(path).lexically_normal();
    while (text.size() > 1 && text.back() == '/') text.pop_back();
    return text;
}

std::string place(const std::string& folder, const std::string& path) {
    return path.starts_with('/') ? clean(path) : clean(folder + "/" + path);
}

/// Relative to the hot folder; empty for what lies elsewhere.
std::string inside(const std::string& folder, const std::string& path) {
    const std::string below = folder == "/" ? folder : folder + "/";
    return path.starts_with(below) ? path.substr(below.size()) : "";
}

bool within(const std::string& path, const std::string& folder) {
    return path == folder || path.starts_with(folder + "/");
}

void check_aside(const std::string& folder, const std::string& option, const std::string& aside,
                 Faults& faults) {
    const bool own = within(inside(folder, aside), ".musher");
    if (aside != folder && !own) return;
    const std::string what = own ? "musher's own folder" : "the watched folder itself";
    faults.emplace_back(Errc::usage, "`" + option + "` is " + what,
                        "name another folder, in `path` or elsewhere");
}

Order order_of(const std::string& word) {
    if (word == "oldest") return Order::oldest;
    return word == "name" ? Order::name : Order::none;
}

WatchMode watch_of(const std::string& word) {
    if (word == "inotify") return WatchMode::inotify;
    return word == "poll" ? WatchMode::poll : WatchMode::automatic;
}

Farewell farewell_of(const std::string& folder, const std::string& text) {
    if (text == "delete") return {Farewell::Way::remove, ""};
    if (text == "leave") return {Farewell::Way::leave, ""};
    return {Farewell::Way::move, place(folder, text)};
}
}  // namespace

Result<HotfolderRules> read_rules(const Options& options) {
    HotfolderRules rules;
    rules.folder = clean(options.text("path"));
    MarkerPattern marker;
    if (options.has("marker")) {
        MUSHER_TRY(marker, MarkerPattern::parse(options.text("marker")));
    }
    const bool whole_folders = options.text("unit") == "folder";
    rules.fail_unmatched = options.text("unmatched") == "fail";
    rules.shared = options.flag("shared");
    rules.done = farewell_of(rules.folder, options.text("done"));
    rules.failed = place(rules.folder, options.text("failed"));
    MUSHER_TRY(rules.collision, parse_collision(options.text("collision")));
    rules.watch = watch_of(options.text("watch"));
    rules.poll = options.duration("poll");
    rules.rescan = options.duration("rescan");

    rules.scan.names = NameRules(options.list("match"), options.list("ignore"), marker,
                                 options.flag("case_sensitive"));
    rules.scan.excluded = {".musher"};
    for (const std::string& aside : {rules.done.folder, rules.failed}) {
        const std::string relative = inside(rules.folder, aside);
        if (!relative.empty()) rules.scan.excluded.push_back(relative);
    }
    rules.scan.folders_are_items = whole_folders;
    rules.scan.enter_folders = options.flag("recursive") && !whole_folders;
    rules.scan.unmatched_too = rules.fail_unmatched;

    rules.look.marker = marker;
    rules.look.min_size = static_cast<std::uint64_t>(options.integer("min_size"));
    rules.look.whole_folders = whole_folders;
    rules.look.in_place = options.text("claim") == "none";
    rules.look.longest_aside = std::max(rules.done.folder.size(), rules.failed.size());

    rules.settle.settle = options.duration("settle");
    rules.settle.order = order_of(options.text("order"));
    rules.settle.capacity = rules.settle.order == Order::none ? kCandidates : limits::kOrderWindow;
    rules.settle.marker = marker;
    rules.settle.whole_folders = whole_folders;
    return rules;
}

Faults check_rules(const Options& options) {
    Faults faults;
    const auto refuse = [&](std::string message, std::string hint) {
        faults.emplace_back(Errc::usage, std::move(message), std::move(hint));
    };
    for (const char* name : {"match", "ignore"}) {
        for (const std::string& glob : options.list(name)) {
            if (is_glob(glob)) continue;
            refuse(
                fmt::format("`{}` holds `{}`, which matches no name", name, glob),
                glob.empty() ? "write \"*\" for every name" : "a `[` needs its `]`; [[] is a `[`");
        }
    }
    if (options.has("match") && options.list("match").empty()) {
        refuse("`match` is empty: no file would ever be taken", "leave it out for every name");
    }
    if (options.has("marker")) {
        const auto marker = MarkerPattern::parse(options.text("marker"));
        if (!marker) refuse("`marker`: " + marker.error().message, marker.error().hint);
        if (options.text("marker").empty()) refuse("`marker` is empty", "leave it out for none");
    }
    const bool leave = options.text("done") == "leave";
    if (leave && options.text("claim") != "none") {
        refuse("`done` leave puts a file back where it would be taken again",
               "set claim: none, or name a folder");
    }
    if (options.text("unit") == "folder" && options.flag("recursive")) {
        refuse("`recursive` has no meaning with unit: folder",
               "each folder in `path` is one job, with all that is below it");
    }
    const std::string folder = clean(options.text("path"));
    const Farewell done = farewell_of(folder, options.text("done"));
    if (done.way == Farewell::Way::move) check_aside(folder, "done", done.folder, faults);
    check_aside(folder, "failed", place(folder, options.text("failed")), faults);
    return faults;
}

}  // namespace musher::hotfolder
