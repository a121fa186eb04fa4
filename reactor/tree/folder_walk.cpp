#include "reactor/tree/folder_walk.h"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "reactor/base/text.h"

namespace musher {

namespace {
constexpr std::size_t kBlockBytes = 32 << 10;
constexpr std::size_t kWindowBlocks = 32;  // 1 MiB of names, some 30,000
constexpr std::size_t kPieceEntries = 64;

void add_entries(FolderWindow& window, const char* block, std::size_t size) {
    for (std::size_t at = 0; at < size;) {
        const auto* entry = reinterpret_cast<const dirent64*>(block + at);
        at += entry->d_reclen;
        const char* name = entry->d_name;
        if (std::strcmp(name, ".") == 0 || std::strcmp(name, "..") == 0) continue;
        window.entries.push_back({entry->d_ino, name, entry->d_type});
    }
}

/// Where the file system does not say it with the name.
Result<void> find_types(FolderWindow& window, int folder) {
    for (FolderEntry& entry : window.entries) {
        if (entry.type != DT_UNKNOWN) continue;
        struct stat info{};
        if (::fstatat(folder, entry.name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
            return fail(errno_error(errno, "reading " + escape_name(entry.name)));
        }
        entry.type = static_cast<unsigned char>(IFTODT(info.st_mode));
    }
    return {};
}
bool is_gone(int number) { return number == ENOENT || number == ENOTDIR || number == ELOOP; }
}  // namespace

Error changed() {
    return Error(Errc::conflict, "it changed while it was copied",
                 "copy it when nobody writes to it");
}

Error source_error(int number, std::string_view what) {
    return is_gone(number) ? changed() : errno_error(number, what);
}

Result<std::shared_ptr<const FolderWindow>> read_window(int folder) {
    auto window = std::make_shared<FolderWindow>();
    while (window->blocks.size() < kWindowBlocks) {
        auto block = std::make_unique_for_overwrite<char[]>(kBlockBytes);
        const ssize_t got = ::getdents64(folder, block.get(), kBlockBytes);
        if (got < 0) return fail(errno_error(errno, "reading a folder"));
        if (got == 0) break;
        add_entries(*window, block.get(), static_cast<std::size_t>(got));
        window->blocks.push_back(std::move(block));
    }
    MUSHER_DO(find_types(*window, folder));
    std::sort(window->entries.begin(), window->entries.end(),
              [](const FolderEntry& a, const FolderEntry& b) { return a.inode < b.inode; });
    return window;
}

std::string FolderWalk::path() const {
    return above_ ? above_->path() + "/" + escape_name(name_) : name_;
}

std::string FolderWalk::path_of(const char* name) const { return path() + "/" + escape_name(name); }

Error FolderWalk::error(int number, const char* what, const char* name) const {
    if (is_gone(number)) return changed().within(path_of(name));
    return errno_error(number, std::string(what) + " " + path_of(name));
}

Result<void> FolderWalk::open() {
    begun_ = true;
    if (above_) {
        folder_.reset(
            ::openat(above_->fd(), name(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        const int number = folder_ ? 0 : errno;
        if (number == ENOENT && may_vanish()) return {};
        if (number != 0) return fail(above_->error(number, "opening", name()));
    }
    return begin();
}

/// False at the folder's end.
Result<bool> FolderWalk::refill() {
    if (!folder_) return false;
    if (window_ && place_ < window_->entries.size()) return true;
    Result<std::shared_ptr<const FolderWindow>> read = read_window(fd());
    const bool gone = !read && read.error().code == Errc::not_found;
    if (gone && may_vanish()) return false;
    if (gone) return fail(changed().within(path()));
    if (!read) return fail(std::move(read).error().within(path()));
    window_ = std::move(*read);
    place_ = 0;
    return !window_->entries.empty();
}

Result<Piece> FolderWalk::next() {
    if (!begun_) MUSHER_DO(open());
    MUSHER_TRY(const bool more, refill());
    if (!more) {
        window_.reset();
        MUSHER_DO(leave());
        return Piece();
    }
    const std::size_t from = place_;
    place_ = std::min(from + kPieceEntries, window_->entries.size());
    ++open_;
    return [self = shared_from_this(), window = window_, from, to = place_](Hand& hand) {
        return self->visit_all(*window, from, to, hand);
    };
}

Result<void> FolderWalk::visit_all(const FolderWindow& window, std::size_t from, std::size_t to,
                                   Hand& hand) {
    for (std::size_t i = from; i < to; ++i) MUSHER_DO(visit(window.entries[i], hand));
    return leave();
}

Result<void> FolderWalk::leave() {
    for (FolderWalk* folder = this; folder && --folder->open_ == 0; folder = folder->above()) {
        MUSHER_DO(folder->end());
    }
    return {};
}

}  // namespace musher
