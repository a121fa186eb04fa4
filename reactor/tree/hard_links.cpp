#include "reactor/tree/hard_links.h"

namespace musher {

std::optional<std::string> HardLinks::claim(const struct stat& info) {
    const std::pair key(info.st_dev, info.st_ino);
    std::unique_lock lock(mutex_);
    const bool fresh = entries_.try_emplace(key, Entry{"", info.st_nlink - 1}).second;
    if (fresh) return std::nullopt;
    // Looked for anew each time: a file that gets more names meanwhile ends its entry early.
    created_.wait(lock, [&] {
        const auto entry = entries_.find(key);
        return given_up_ || entry == entries_.end() || !entry->second.path.empty();
    });
    if (given_up_) return "";
    const auto entry = entries_.try_emplace(key, Entry{"", 0}).first;
    if (entry->second.path.empty()) return std::nullopt;
    std::string path = entry->second.path;
    if (--entry->second.left == 0) entries_.erase(entry);
    return path;
}

void HardLinks::made(const struct stat& info, std::string path) {
    const std::lock_guard lock(mutex_);
    entries_[{info.st_dev, info.st_ino}].path = std::move(path);
    created_.notify_all();
}

void HardLinks::give_up() {
    const std::lock_guard lock(mutex_);
    given_up_ = true;
    created_.notify_all();
}

}  // namespace musher
