#include "pipelines/config/folder_use.h"

#include <filesystem>

#include "pipelines/config/glob_overlap.h"
#include "pipelines/config/tables.h"
#include "reactor/base/text.h"

namespace musher {

namespace {
namespace fs = std::filesystem;

std::string canonical_path(const fs::path& path) {
    std::error_code failed;
    fs::path resolved = fs::weakly_canonical(path, failed);
    if (failed) resolved = path.lexically_normal();
    std::string text = resolved.string();
    while (text.size() > 1 && text.ends_with('/')) text.pop_back();
    return text;
}

bool is_below(const std::string& path, const std::string& folder) {
    return path.size() > folder.size() && path.starts_with(folder) &&
           (path[folder.size()] == '/' || folder == "/");
}

/// The option of `table` with that role, if the file sets it or it has a default.
struct PathOption {
    const Option* option;
    std::string text;
    Position at;
};
std::vector<PathOption> paths_of(const std::vector<Option>& table, const Value& written,
                                 const Options& decoded, Folder role) {
    std::vector<PathOption> found;
    for (const Option& option : table) {
        if (option.folder != role) continue;
        const Value* value = written.find(option.name);
        if (value && value->faulty) continue;
        const std::string text = decoded.text(option.name);
        const auto& words = option.choices;
        if (text.empty() || std::find(words.begin(), words.end(), text) != words.end()) continue;
        found.push_back({&option, text, value ? value->at : written.at});
    }
    return found;
}

bool flag_of(const std::vector<Option>& table, const Options& options, std::string_view name,
             bool otherwise) {
    const Option* option = find_option(table, name);
    const bool known = option && option->type == OptionType::boolean && options.has(name);
    return known ? options.flag(name) : otherwise;
}

std::string text_of(const std::vector<Option>& table, const Options& options,
                    std::string_view name) {
    return find_option(table, name) ? options.text(name) : std::string();
}

std::vector<std::string> globs_of(const std::vector<Option>& table, const Options& options,
                                  std::string_view name) {
    const Option* option = find_option(table, name);
    if (!option || !options.has(name)) return {};
    if (option->type == OptionType::text_list) return options.list(name);
    return {options.text(name)};
}

void append_literal(std::string& glob, char byte) {
    const bool special = byte == '*' || byte == '?' || byte == '[';
    glob += special ? std::string{'[', byte, ']'} : std::string(1, byte);
}
std::string literal_glob(std::string_view name) {
    std::string glob;
    for (const char byte : name) append_literal(glob, byte);
    return glob;
}

/// "${event.stem}.xz" → "*.xz".
std::string glob_of_template(std::string_view text) {
    std::string glob;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text.substr(i).starts_with("${")) {
            glob += '*';
            i = std::min(text.find('}', i), text.size());
        } else {
            append_literal(glob, text[i]);
        }
    }
    return glob;
}

/// The part of a path before its first ${…}, up to a slash; `exact` when there is none.
fs::path static_part(const std::string& text, const std::string& folder, bool& exact) {
    const std::size_t dynamic = text.find("${");
    exact = dynamic == std::string::npos;
    const fs::path path = exact ? text : text.substr(0, text.rfind('/', dynamic) + 1);
    return path.is_absolute() || (!exact && path.empty()) ? path : fs::path(folder) / path;
}

WatchedFolder watched_folder(const std::vector<Option>& table, const Options& options,
                             const PathOption& path) {
    WatchedFolder watched;
    watched.path = canonical_path(path.text);
    watched.at = path.at;
    watched.recursive = flag_of(table, options, "recursive", false);
    watched.fold_case = !flag_of(table, options, "case_sensitive", false);
    watched.whole_folders = text_of(table, options, "unit") == "folder";
    watched.takes =
        text_of(table, options, "claim") != "none" || text_of(table, options, "done") != "leave";
    watched.match = globs_of(table, options, "match");
    if (watched.match.empty()) watched.match = {"*"};
    watched.ignore = globs_of(table, options, "ignore");
    return watched;
}

void add_written(const PipelineConfig& pipeline, const std::vector<StepConfig>& steps,
                 const std::vector<std::string>& body_names, FolderUse& use) {
    for (const StepConfig& step : steps) {
        const std::vector<Option>& table = step.entry->spec.options;
        std::vector<Problem> reported;
        const Options options = decode(table, step.options, step.kind, reported);
        for (const PathOption& path : paths_of(table, step.options, options, Folder::written)) {
            WrittenFolder written;
            const fs::path part = static_part(path.text, pipeline.folder, written.exact);
            if (part.empty()) continue;
            written.path = canonical_path(part);
            written.at = path.at;
            written.by = step.kind;
            const std::string name = text_of(table, options, "name");
            written.names = name.empty() ? body_names : std::vector{glob_of_template(name)};
            use.written.push_back(std::move(written));
        }
        for (const StepBranch& branch : step.branches) {
            add_written(pipeline, branch.steps, body_names, use);
        }
    }
}

bool is_ignored(std::string_view name, const WatchedFolder& watched) {
    return std::any_of(watched.ignore.begin(), watched.ignore.end(),
                       [&](const auto& glob) { return glob_match(glob, name, watched.fold_case); });
}

/// Both globs can match one name that the watch does not ignore. A glob that an ignored glob
/// covers as it is written ("*.tmp", "*.pdf") matches only ignored names.
bool takes(const WatchedFolder& watched, const std::string& glob) {
    if (is_ignored(glob, watched)) return false;
    return std::any_of(watched.match.begin(), watched.match.end(), [&](const auto& match) {
        return globs_overlap(match, glob, watched.fold_case);
    });
}

/// Hidden and ignored folders inside a recursive watch are not looked into.
bool is_seen(const std::string& path, const WatchedFolder& watched) {
    if (path == watched.path) return true;
    if (!watched.recursive || !is_below(path, watched.path)) return false;
    for (const std::string& unseen : watched.unseen) {
        if (path == unseen || is_below(path, unseen)) return false;
    }
    for (const fs::path& part : fs::path(path.substr(watched.path.size()))) {
        if (is_ignored(part.string(), watched)) return false;
    }
    return true;
}
}  // namespace

FolderUse folder_use(const PipelineConfig& pipeline) {
    FolderUse use;
    if (!pipeline.source) return use;
    const std::vector<Option>& table = pipeline.source->spec.options;
    std::vector<Problem> reported;
    const Options options = decode(table, pipeline.source_options, pipeline.source_kind, reported);
    const Value& written = pipeline.source_options;
    const auto watched = paths_of(table, written, options, Folder::watched);
    if (!watched.empty()) use.watched = watched_folder(table, options, watched.front());
    const std::vector<std::string> names =
        use.watched ? use.watched->match : std::vector<std::string>{"*"};
    for (const PathOption& path : paths_of(table, written, options, Folder::aside)) {
        const std::string base = use.watched ? use.watched->path : pipeline.folder;
        const std::string folder = canonical_path(fs::path(base) / path.text);
        if (use.watched) use.watched->unseen.push_back(folder);
        use.written.push_back(
            WrittenFolder{folder, path.at, std::string(path.option->name), true, true, names});
    }
    add_written(pipeline, pipeline.steps, names, use);
    add_written(pipeline, pipeline.on_failure, names, use);
    return use;
}

bool feeds(const WrittenFolder& written, const WatchedFolder& watched) {
    if (!is_seen(written.path, watched)) return false;
    // Somewhere below: only a watch of everything below is sure to see it.
    if (!written.exact && !watched.recursive) return false;
    return std::any_of(written.names.begin(), written.names.end(),
                       [&](const std::string& glob) { return takes(watched, glob); });
}

bool takes_away(const WrittenFolder& own, const WatchedFolder& watched) {
    if (!watched.takes) return false;
    if (!watched.whole_folders) return feeds(own, watched);
    if (!is_below(own.path, watched.path)) return false;
    const fs::path inside = fs::path(own.path).lexically_relative(watched.path);
    const std::string first = inside.begin()->string();
    const auto hides = [&](const std::string& unseen) {
        return own.path == unseen || is_below(own.path, unseen);
    };
    if (std::any_of(watched.unseen.begin(), watched.unseen.end(), hides)) return false;
    return takes(watched, literal_glob(first));
}

void add_file(WrittenFolder& folder, const std::string& path) {
    if (folder.path.empty()) folder.path = canonical_path(fs::path(path).parent_path());
    folder.names.push_back(literal_glob(fs::path(path).filename().string()));
}

bool share_files(const WatchedFolder& a, const WatchedFolder& b) {
    if (a.whole_folders != b.whole_folders || (!a.takes && !b.takes)) return false;
    if (!is_seen(a.path, b) && !is_seen(b.path, a)) return false;
    for (const std::string& glob : a.match) {
        if (is_ignored(glob, a) || is_ignored(glob, b)) continue;
        for (const std::string& other : b.match) {
            if (is_ignored(other, a) || is_ignored(other, b)) continue;
            if (globs_overlap(glob, other, a.fold_case && b.fold_case)) return true;
        }
    }
    return false;
}

}  // namespace musher
