#include "reactor/tree/copied_folder.h"

#include <dirent.h>
#include <fcntl.h>

#include <cerrno>

#include "reactor/tree/large_file.h"

namespace musher {

Result<void> check_unchanged(int from, const struct stat& info) {
    struct stat now{};
    if (::fstat(from, &now) != 0) return fail(errno_error(errno, "reading it"));
    const bool same = now.st_size == info.st_size && same_time(now.st_mtim, info.st_mtim);
    if (same) return {};
    return fail(changed());
}

Result<void> CopiedFolder::begin() {
    if (::fstat(fd(), &info_) != 0) return fail(errno_error(errno, "reading " + path()));
    if (info_.st_dev == copy_.root_dev && info_.st_ino == copy_.root_ino) {
        return fail(Errc::usage, path() + " is the copy itself: it lies in what it is a copy of");
    }
    if (!above()) return {};
    const auto& parent = static_cast<const CopiedFolder&>(*above());
    // Only its maker gets in before it is whole.
    if (::mkdirat(parent.to_.get(), name(), 0700) != 0) {
        return fail(errno_error(errno, "making the copy of " + path()));
    }
    MUSHER_TRY(to_, Fd::open_at(parent.to_.get(), name(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    return {};
}

Result<void> CopiedFolder::end() {
    Result<void> same = check_unchanged(fd(), info_);
    if (!same) return fail(std::move(same).error().within(path()));
    constexpr mode_t kAny = ~mode_t{0};
    Result<unsigned> kept = copy_attributes(fd(), to_.get(), info_, copy_.creator, kAny);
    if (!kept) return fail(std::move(kept).error().within(path()));
    copy_.counters.unkept += *kept;
    if (above()) ++copy_.counters.folders;
    to_.reset();
    return {};
}

Result<void> CopiedFolder::visit(const FolderEntry& entry, Hand& hand) {
    Result<void> done = copy_entry(entry, hand);
    if (done) return done;
    copy_.links.give_up();
    return fail(std::move(done).error().within(path_of(entry.name)));
}

Result<void> CopiedFolder::copy_entry(const FolderEntry& entry, Hand& hand) {
    switch (entry.type) {
        case DT_DIR: {
            auto self = std::static_pointer_cast<CopiedFolder>(shared_from_this());
            hand.found.push_back(std::make_shared<CopiedFolder>(self, entry.name));
            return {};
        }
        case DT_REG:
            return copy_file(entry.name, hand);
        case DT_LNK:
            return copy_symbolic(entry.name);
        default:
            ++copy_.counters.skipped;
            return {};
    }
}

Result<Fd> CopiedFolder::open_source(const char* name) {
    // A pipe that has taken the file's place must not be waited for.
    constexpr int kFlags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    if (copy_.keep_atime) {
        Fd file(::openat(fd(), name, kFlags | O_NOATIME));
        if (file || errno != EPERM) {
            if (!file) return fail(source_error(errno, "opening it"));
            return file;
        }
        copy_.keep_atime = false;  // somebody else's file
    }
    Fd file(::openat(fd(), name, kFlags));
    if (!file) return fail(source_error(errno, "opening it"));
    return file;
}

Result<Fd> CopiedFolder::open_copy(const char* name) {
    Fd file(::openat(to_.get(), name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC));
    if (!file) return fail(errno_error(errno, "opening its copy"));
    return file;
}

Result<void> CopiedFolder::copy_file(const char* name, Hand& hand) {
    MUSHER_TRY(Fd from, open_source(name));
    struct stat info{};
    if (::fstat(from.get(), &info) != 0) return fail(errno_error(errno, "reading it"));
    if (!S_ISREG(info.st_mode)) return fail(changed());
    if (info.st_nlink > 1) {
        MUSHER_TRY(const bool linked, link_to_first(name, info));
        if (linked) return {};
    }
    constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    Fd to(::openat(to_.get(), name, kFlags, Creator::asked(info.st_mode)));
    if (!to) return fail(errno_error(errno, "making its copy"));
    if (info.st_nlink > 1) copy_.links.made(info, place_ + name);
    return fill(name, std::move(from), std::move(to), info, hand);
}

Result<bool> CopiedFolder::link_to_first(const char* name, const struct stat& info) {
    const std::optional<std::string> first = copy_.links.claim(info);
    if (!first) return false;
    if (first->empty()) return fail(Errc::cancelled, "another file could not be copied");
    if (::linkat(copy_.root, first->c_str(), to_.get(), name, 0) != 0) {
        return fail(errno_error(errno, "linking it to its copy " + *first));
    }
    ++(S_ISLNK(info.st_mode) ? copy_.counters.links : copy_.counters.files);
    return true;
}

Result<void> CopiedFolder::fill(const char* name, Fd from, Fd to, const struct stat& info,
                                Hand& hand) {
    if (info.st_size > 0) {
        MUSHER_TRY(const bool cloned, clone_file(from.get(), to.get(), copy_.ways));
        if (!cloned && static_cast<std::uint64_t>(info.st_size) >= kLargeFile) {
            auto self = std::static_pointer_cast<CopiedFolder>(shared_from_this());
            hand.found.push_back(std::make_shared<LargeFile>(copy_, std::move(self), name, info));
            return {};
        }
        if (!cloned) {
            MUSHER_DO(copy_content(from.get(), to.get(), info, copy_.ways, hand.buffer));
        }
    }
    MUSHER_DO(check_unchanged(from.get(), info));
    MUSHER_TRY(const unsigned unkept, copy_attributes(from.get(), to.get(), info, copy_.creator,
                                                      copy_.creator.given(info.st_mode)));
    copy_.counters.unkept += unkept;
    copy_.counters.bytes += static_cast<std::uint64_t>(info.st_size);
    ++copy_.counters.files;
    return {};
}

Result<void> CopiedFolder::copy_symbolic(const char* name) {
    struct stat info{};
    if (::fstatat(fd(), name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
        return fail(source_error(errno, "reading it"));
    }
    if (!S_ISLNK(info.st_mode)) return fail(changed());
    if (info.st_nlink > 1) {
        MUSHER_TRY(const bool linked, link_to_first(name, info));
        if (linked) return {};
    }
    std::string target(static_cast<std::size_t>(info.st_size) + 1, '\0');
    const ssize_t size = ::readlinkat(fd(), name, target.data(), target.size());
    if (size < 0) return fail(source_error(errno, "reading it"));
    if (size != info.st_size) return fail(changed());
    target.resize(static_cast<std::size_t>(size));
    if (::symlinkat(target.c_str(), to_.get(), name) != 0) {
        return fail(errno_error(errno, "making its copy"));
    }
    if (info.st_nlink > 1) copy_.links.made(info, place_ + name);
    MUSHER_TRY(const unsigned unkept, copy_link_attributes(to_.get(), name, info, copy_.creator));
    copy_.counters.unkept += unkept;
    ++copy_.counters.links;
    return {};
}

}  // namespace musher
