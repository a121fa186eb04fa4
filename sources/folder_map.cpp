#include "sources/folder_map.h"

namespace musher::hotfolder {

DirId FolderMap::add(const std::string& path) {
    const auto [entry, fresh] = numbers_.try_emplace(path, next_);
    if (fresh) paths_.emplace(next_++, path);
    return entry->second;
}

std::optional<DirId> FolderMap::find(const std::string& path) const {
    const auto found = numbers_.find(path);
    if (found == numbers_.end()) return std::nullopt;
    return found->second;
}

const std::string* FolderMap::path(DirId dir) const {
    const auto found = paths_.find(dir);
    return found == paths_.end() ? nullptr : &found->second;
}

std::vector<DirId> FolderMap::forget(DirId dir) {
    std::vector<DirId> gone;
    const std::string* top = path(dir);
    if (!top) return gone;
    const std::string below = *top + "/";
    for (const auto& [number, path] : paths_) {
        if (number == dir || top->empty() || path.starts_with(below)) gone.push_back(number);
    }
    for (const DirId number : gone) {
        numbers_.erase(paths_[number]);
        paths_.erase(number);
    }
    return gone;
}

std::vector<DirId> FolderMap::all() const {
    std::vector<DirId> numbers;
    numbers.reserve(paths_.size());
    for (const auto& [number, path] : paths_) numbers.push_back(number);
    return numbers;
}

}  // namespace musher::hotfolder
