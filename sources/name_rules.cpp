#include "sources/name_rules.h"

#include <algorithm>

#include "reactor/base/text.h"

namespace musher::hotfolder {

std::string_view stem_of(std::string_view name) {
    const std::size_t dot = name.rfind('.');
    return dot == std::string_view::npos || dot == 0 ? name : name.substr(0, dot);
}

std::string_view extension_of(std::string_view name) {
    const std::size_t dot = name.rfind('.');
    return dot == std::string_view::npos || dot == 0 ? std::string_view() : name.substr(dot + 1);
}

std::string join_relative(std::string_view folder, std::string_view name) {
    std::string path(folder);
    if (!path.empty()) path += '/';
    path += name;
    return path;
}

std::pair<std::string, std::string> split_relative(std::string_view path) {
    const std::size_t slash = path.rfind('/');
    if (slash == std::string_view::npos) return {"", std::string(path)};
    return {std::string(path.substr(0, slash)), std::string(path.substr(slash + 1))};
}

Result<MarkerPattern> MarkerPattern::parse(const std::string& text) {
    MarkerPattern marker;
    marker.text_ = text;
    if (("/" + text + "/").find("/../") != std::string::npos) {
        return fail(Errc::usage, "marker '" + text + "' is no file beside another",
                    "write {name}.done, {stem}.ok, {name}/READY or a fixed name");
    }
    const std::size_t open = text.find('{');
    if (open == std::string::npos) return marker;
    const std::size_t close = text.find('}', open);
    const std::string word =
        close == std::string::npos ? "" : text.substr(open + 1, close - open - 1);
    if ((word != "name" && word != "stem") || text.find('{', open + 1) != std::string::npos) {
        return fail(Errc::usage, "marker '" + text + "' is not understood",
                    "write {name}.done, {stem}.ok, {name}/READY or a fixed name");
    }
    marker.kind_ = word == "name" ? Kind::name : Kind::stem;
    marker.before_ = text.substr(0, open);
    marker.after_ = text.substr(close + 1);
    if (marker.before_.empty() && marker.after_.empty()) {
        return fail(Errc::usage, "marker '" + text + "' would be the file itself",
                    "add something to it, such as {name}.done");
    }
    return marker;
}

std::string MarkerPattern::path_for(std::string_view name) const {
    if (kind_ == Kind::fixed) return text_;
    return before_ + std::string(kind_ == Kind::name ? name : stem_of(name)) + after_;
}

bool MarkerPattern::is_marker(std::string_view name) const {
    if (!set()) return false;
    if (kind_ == Kind::fixed) return name == text_;
    // {name}/READY lies inside the item, beside which nothing of its name can be.
    if (after_.find('/') != std::string::npos || before_.find('/') != std::string::npos) {
        return false;
    }
    return name.size() > before_.size() + after_.size() && name.starts_with(before_) &&
           name.ends_with(after_);
}

NameRules::NameRules(std::vector<std::string> match, std::vector<std::string> ignore,
                     MarkerPattern marker, bool case_sensitive)
    : match_(std::move(match)),
      ignore_(std::move(ignore)),
      marker_(std::move(marker)),
      fold_case_(!case_sensitive) {}

bool NameRules::any(const std::vector<std::string>& patterns, std::string_view folder,
                    std::string_view name) const {
    return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
        if (pattern == "*") return true;
        if (pattern.find('/') == std::string::npos) return glob_match(pattern, name, fold_case_);
        return glob_match(pattern, join_relative(folder, name), fold_case_);
    });
}

bool NameRules::ignores(std::string_view folder, std::string_view name) const {
    // What musher itself puts there is nobody's input, whatever `ignore` says.
    const bool temporary =
        name.starts_with('.') && name.find(".musher-tmp-") != std::string_view::npos;
    if (name == ".musher" || temporary) return true;
    return any(ignore_, folder, name);
}

NameRules::Verdict NameRules::judge(std::string_view folder, std::string_view name) const {
    if (ignores(folder, name)) return Verdict::ignored;
    if (marker_.is_marker(name)) return Verdict::marker;
    return any(match_, folder, name) ? Verdict::wanted : Verdict::unmatched;
}

}  // namespace musher::hotfolder
