#include "sources/scan.h"

#include <dirent.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "reactor/base/limits.h"

namespace musher::hotfolder {

namespace {
constexpr std::size_t kBufferBytes = 64 << 10;

// What getdents64(2) writes.
struct KernelEntry {
    std::uint64_t inode;
    std::int64_t offset;
    std::uint16_t length;
    std::uint8_t type;
};
constexpr std::size_t kNameAt = 19;
}  // namespace

EntryUse use_of(const ScanRules& rules, std::string_view subfolder, std::string_view name,
                bool folder) {
    if (folder && !rules.excluded.empty()) {
        const std::string path = join_relative(subfolder, name);
        for (const std::string& excluded : rules.excluded) {
            // A folder that is an item would go with all that is put aside below it.
            const bool holds = rules.folders_are_items && excluded.starts_with(path + "/");
            if (holds || path == excluded) return {};
        }
    }
    if (folder && !rules.folders_are_items) {
        return {false, rules.enter_folders && !rules.names.ignores(subfolder, name)};
    }
    if (folder != rules.folders_are_items) return {};
    const NameRules::Verdict verdict = rules.names.judge(subfolder, name);
    return {verdict == NameRules::Verdict::wanted ||
                (verdict == NameRules::Verdict::unmatched && rules.unmatched_too),
            false};
}

DirScan::DirScan(Fd folder, std::string subfolder)
    : folder_(std::move(folder)), subfolder_(std::move(subfolder)), buffer_(kBufferBytes) {}

DirScan::Window DirScan::next(const ScanRules& rules) {
    Window window;
    for (std::size_t looked = 0; looked < limits::kScanWindow; ++looked) {
        if (at_ == filled_ && !fill(window)) return window;
        KernelEntry entry{};
        std::memcpy(&entry, buffer_.data() + at_, sizeof entry);
        const char* name = buffer_.data() + at_ + kNameAt;
        at_ += entry.length;
        consider(name, entry.type, rules, window);
    }
    return window;
}

bool DirScan::fill(Window& window) {
    const long got = ::syscall(SYS_getdents64, folder_.get(), buffer_.data(), buffer_.size());
    at_ = 0;
    filled_ = got > 0 ? static_cast<std::size_t>(got) : 0;
    if (got > 0) return true;
    window.end = true;
    // A folder that was removed while it was read has simply ended.
    if (got < 0 && errno != ENOENT) window.error = errno;
    return false;
}

void DirScan::consider(const char* name, unsigned char type, const ScanRules& rules,
                       Window& window) {
    if (std::strcmp(name, ".") == 0 || std::strcmp(name, "..") == 0) return;
    if (type != DT_REG && type != DT_DIR && type != DT_UNKNOWN) return;
    struct stat status{};
    const bool typed = type != DT_UNKNOWN;
    bool folder = type == DT_DIR;
    if (!typed) {
        if (::fstatat(folder_.get(), name, &status, AT_SYMLINK_NOFOLLOW) != 0) return;
        if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) return;
        folder = S_ISDIR(status.st_mode);
    }
    const EntryUse use = use_of(rules, subfolder_, name, folder);
    if (!use.item && !use.enter) return;
    if (typed && !folder && ::fstatat(folder_.get(), name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        return;  // gone since
    }
    if (!folder && !S_ISREG(status.st_mode)) return;
    Found found;
    found.name = name;
    if (!folder) found.sample = sample_of(status);
    found.folder = folder;
    found.enter = use.enter;
    window.found.push_back(std::move(found));
}

}  // namespace musher::hotfolder
