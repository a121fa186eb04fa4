#include "reactor/drivers/files.h"

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "reactor/base/bytes.h"
#include "reactor/base/limits.h"
#include "reactor/base/text.h"

namespace musher {

namespace {

std::string folder_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? "." : path.substr(0, std::max<std::size_t>(slash, 1));
}
std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

/// A folder with something in it is never replaced, nor does a folder replace a file.
bool is_taken(int failed, const std::string& path) {
    struct stat info{};
    const bool kept = failed == ENOTEMPTY || failed == EISDIR || failed == ENOTDIR;
    return failed == EEXIST || (kept && ::lstat(path.c_str(), &info) == 0);
}

/// One rename by its policy: 0 and `wanted` is where it went, or errno; EEXIST only for
/// Collision::fail.
int rename_by(const Move& move, std::string& wanted) {
    wanted = move.to;
    for (int number = 2;; ++number) {
        const int failed = try_rename(move.from, wanted, move.collision == Collision::replace);
        if (!is_taken(failed, wanted) || move.collision == Collision::fail) return failed;
        wanted = folder_of(move.to) + "/" + numbered_name(name_of(move.to), number);
    }
}

/// kill -9 after the copy and before the unlink: both exist; the mover's recovery finds the
/// source again and moves it once more, to a number.
Result<std::string> copy_across(const Move& move) {
    struct stat info{};
    if (::lstat(move.from.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
        return fail(Errc::usage,
                    escape_name(move.from) + " is no regular file and " +
                        escape_name(folder_of(move.to)) + " is another mount",
                    "keep both on one mount");
    }
    MUSHER_TRY(const Fd source, Fd::open(move.from, O_RDONLY | O_NOFOLLOW));
    if (::fstat(source.get(), &info) != 0) return fail(errno_error(errno, "reading " + move.from));
    MUSHER_TRY(AtomicFile target,
               AtomicFile::create(folder_of(move.to), name_of(move.to), info.st_mode & 07777,
                                  static_cast<std::uint64_t>(info.st_size)));
    MUSHER_DO(copy_bytes(source, target.fd()));
    const timespec times[2] = {info.st_atim, info.st_mtim};
    ::futimens(target.fd().get(), times);
    if (::fchown(target.fd().get(), info.st_uid, info.st_gid) != 0) {
        // Only root keeps an owner across filesystems.
    }
    MUSHER_TRY(std::string path, target.commit(move.collision));
    if (::unlink(move.from.c_str()) != 0) {
        return fail(errno_error(errno, "removing " + escape_name(move.from)));
    }
    return path;
}

Result<std::string> move_one(const Move& move) {
    std::string moved;
    int failed = rename_by(move, moved);
    struct stat info{};
    if (failed == ENOENT && ::lstat(move.from.c_str(), &info) == 0) {
        MUSHER_DO(make_folders(folder_of(move.to)));
        failed = rename_by(move, moved);
    }
    if (failed == EXDEV) return copy_across(move);
    if (failed == 0) return moved;
    return fail(
        errno_error(failed, "renaming " + escape_name(move.from) + " to " + escape_name(moved)));
}

Result<std::uint64_t> copy_by_hand(const Fd& from, const Fd& to) {
    Slice slice(limits::kSliceBytes);
    std::uint64_t total = 0;
    for (;;) {
        const ssize_t got = ::read(from.get(), slice.data(), slice.capacity());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail(errno_error(errno, "reading"));
        if (got == 0) return total;
        slice.resize(static_cast<std::size_t>(got));
        MUSHER_DO(write_all(to.get(), as_text(slice.view())));
        total += slice.size();
    }
}

}  // namespace

std::vector<Result<std::string>> move_files(const std::vector<Move>& moves, Sync sync) {
    std::vector<Result<std::string>> results;
    std::set<std::string> folders;
    for (const Move& move : moves) {
        results.push_back(move_one(move));
        // A rename is one transaction: with its new name the old one's end is on disk too.
        if (results.back() && sync == Sync::now) folders.insert(folder_of(move.to));
    }
    for (const std::string& folder : folders) {
        Result<void> synced = sync_folder(folder);
        if (synced) continue;
        for (std::size_t i = 0; i < moves.size(); ++i) {
            if (results[i] && folder_of(moves[i].to) == folder) results[i] = fail(synced.error());
        }
    }
    return results;
}

Result<std::uint64_t> copy_bytes(const Fd& from, const Fd& to) {
    struct stat info {};
    if (::fstat(from.get(), &info) != 0) return fail(errno_error(errno, "reading"));
    if (::ioctl(to.get(), FICLONE, from.get()) == 0) {
        return static_cast<std::uint64_t>(info.st_size);
    }
    std::uint64_t total = 0;
    for (;;) {
        const ssize_t copied =
            ::copy_file_range(from.get(), nullptr, to.get(), nullptr, 1u << 30, 0);
        if (copied > 0) {
            total += static_cast<std::uint64_t>(copied);
            continue;
        }
        if (copied < 0 && errno == ENOSPC) return fail(errno_error(ENOSPC, "copying"));
        // 0 before the size is reached: a filesystem that gives up; go on by hand.
        if (copied == 0 && total >= static_cast<std::uint64_t>(info.st_size)) return total;
        MUSHER_TRY(const std::uint64_t rest, copy_by_hand(from, to));
        return total + rest;
    }
}

}  // namespace musher
