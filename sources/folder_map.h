// FolderMap: the folders that a hot folder watches, by number and by path.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sources/candidate.h"

namespace musher::hotfolder {

/// Paths are relative to the hot folder, "" for itself. Loop thread only.
class FolderMap {
  public:
    /// The number of a path, new or known.
    DirId add(const std::string& path);
    std::optional<DirId> find(const std::string& path) const;
    /// Null when the number is no longer known.
    const std::string* path(DirId dir) const;
    /// This folder and all below it; returns their numbers, which are never given again.
    std::vector<DirId> forget(DirId dir);
    std::vector<DirId> all() const;
    std::size_t size() const { return paths_.size(); }

  private:
    std::unordered_map<DirId, std::string> paths_;
    std::unordered_map<std::string, DirId> numbers_;
    DirId next_ = 0;
};

}  // namespace musher::hotfolder
