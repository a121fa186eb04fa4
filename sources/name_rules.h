// NameRules: which names of a hot folder are wanted, by `match`, `ignore` and `marker`.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "reactor/base/error.h"

namespace musher::hotfolder {

/// `{name}.done`, `{stem}.ok`, `{name}/READY` or a fixed name that releases all of its folder.
class MarkerPattern {
  public:
    MarkerPattern() = default;
    /// `usage` for an unknown {placeholder}, or two of them.
    static Result<MarkerPattern> parse(const std::string& text);

    bool set() const { return !text_.empty(); }
    /// Removed when its file is taken (the last of them, where it is shared()); a fixed one stays.
    bool per_file() const { return kind_ != Kind::fixed; }
    /// Stands for all files of one stem.
    bool shared() const { return kind_ == Kind::stem; }
    /// The marker's path beside a file of this name.
    std::string path_for(std::string_view name) const;
    /// This name is a marker of some file (or the fixed one).
    bool is_marker(std::string_view name) const;

  private:
    enum class Kind { fixed, name, stem };
    std::string text_;
    Kind kind_ = Kind::fixed;
    std::string before_;
    std::string after_;
};

/// Immutable; any thread.
class NameRules {
  public:
    NameRules() = default;
    NameRules(std::vector<std::string> match, std::vector<std::string> ignore, MarkerPattern marker,
              bool case_sensitive);

    enum class Verdict { wanted, unmatched, ignored, marker };
    /// `folder` is relative to the hot folder, "" at the top. A pattern with a slash is held
    /// against the whole relative path, one without against the name.
    Verdict judge(std::string_view folder, std::string_view name) const;
    /// A folder that is not entered (recursive) or not taken (unit: folder).
    bool ignores(std::string_view folder, std::string_view name) const;
    const MarkerPattern& marker() const { return marker_; }

  private:
    bool any(const std::vector<std::string>& patterns, std::string_view folder,
             std::string_view name) const;
    std::vector<std::string> match_;
    std::vector<std::string> ignore_;
    MarkerPattern marker_;
    bool fold_case_ = true;
};

/// "a.tar" and "gz" of "a.tar.gz"; a leading dot starts no extension.
std::string_view stem_of(std::string_view name);
std::string_view extension_of(std::string_view name);
/// `folder/name`, or `name` at the top.
std::string join_relative(std::string_view folder, std::string_view name);
/// The other way: {folder, name}.
std::pair<std::string, std::string> split_relative(std::string_view path);

}  // namespace musher::hotfolder
