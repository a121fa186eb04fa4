#include "reactor/drivers/files.h"

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>
#include <set>

#include "reactor/base/digest.h"
#include "reactor/base/limits.h"
#include "reactor/base/text.h"
#include "reactor/loop/offload.h"

namespace musher {

namespace {

constexpr std::size_t kSyncWhole = 4;

std::string folder_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? "." : path.substr(0, std::max<std::size_t>(slash, 1));
}
std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

/// One rename by its policy; `conflict` only for Collision::fail.
Result<std::string> rename_by(const std::string& from, const std::string& to,
                              Collision collision) {
    if (collision == Collision::replace) {
        if (::rename(from.c_str(), to.c_str()) == 0) return to;
        return fail(errno_error(errno, "renaming " + escape_name(from)));
    }
    std::string wanted = to;
    for (int number = 2;; ++number) {
        Result<void> renamed = rename_no_replace(from, wanted);
        if (renamed) return wanted;
        const bool taken = renamed.error().code == Errc::conflict;
        if (!taken || collision == Collision::fail) return fail(std::move(renamed).error());
        wanted = folder_of(to) + "/" + numbered_name(name_of(to), number);
    }
}

bool same_filesystem(const std::string& from, const std::string& to_folder) {
    struct stat a {}, b {};
    return ::lstat(from.c_str(), &a) != 0 || ::stat(to_folder.c_str(), &b) != 0 ||
           a.st_dev == b.st_dev;
}

/// kill -9 after the copy and before the unlink: both exist; the mover's recovery finds the
/// source again and moves it once more, to a number.
Result<std::string> copy_across(const Move& move) {
    MUSHER_TRY(const Fd source, Fd::open(move.from, O_RDONLY | O_NOFOLLOW));
    struct stat info {};
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
    const std::string folder = folder_of(move.to);
    if (!same_filesystem(move.from, folder)) return copy_across(move);
    Result<std::string> moved = rename_by(move.from, move.to, move.collision);
    if (moved || moved.error().code != Errc::not_found) return moved;
    struct stat info {};
    if (::lstat(move.from.c_str(), &info) != 0) return moved;
    // The source is there, so the folder was missing.
    std::error_code failed;
    std::filesystem::create_directories(folder, failed);
    if (failed) return fail(errno_error(failed.value(), "creating " + escape_name(folder)));
    if (!same_filesystem(move.from, folder)) return copy_across(move);
    return rename_by(move.from, move.to, move.collision);
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

/// Copies and digests what is small; most files of a hot folder are.
Result<Published> copy_with_digest(const Fd& from, const Fd& to) {
    Slice slice(limits::kSliceBytes);
    Digest digest(DigestKind::sha256);
    Published made;
    for (;;) {
        const ssize_t got = ::read(from.get(), slice.data(), slice.capacity());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail(errno_error(errno, "reading the body"));
        if (got == 0) break;
        slice.resize(static_cast<std::size_t>(got));
        digest.update(slice.view());
        MUSHER_DO(write_all(to.get(), as_text(slice.view())));
        made.bytes += slice.size();
    }
    made.sha256 = digest.hex();
    return made;
}

Result<Published> prepare(Publication& wanted) {
    Published made;
    if (!wanted.prepared) {
        MUSHER_TRY(const Fd source, Fd::open(wanted.source, O_RDONLY));
        struct stat info {};
        if (::fstat(source.get(), &info) != 0) return fail(errno_error(errno, wanted.source));
        MUSHER_TRY(wanted.prepared,
                   AtomicFile::create(wanted.folder, wanted.name, wanted.mode,
                                      static_cast<std::uint64_t>(info.st_size)));
        MUSHER_TRY(made, copy_with_digest(source, wanted.prepared.fd()));
    }
    if ((wanted.uid != static_cast<uid_t>(-1) || wanted.gid != static_cast<gid_t>(-1)) &&
        ::fchown(wanted.prepared.fd().get(), wanted.uid, wanted.gid) != 0) {
        return fail(errno_error(errno, "giving the file to its owner"));
    }
    wanted.prepared.mark(wanted.job, wanted.hops);
    wanted.prepared.start_sync();
    return made;
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

/// Each fsync waits for a flush of the disk; from kSyncWhole files on, one syncfs(2) costs less than
/// theirs, though it also waits for what others have written there.
void Publisher::sync_contents(const std::vector<Entry*>& batch) {
    std::map<dev_t, std::vector<Entry*>> filesystems;
    for (Entry* entry : batch) {
        struct stat info {};
        if (!entry->outcome) continue;
        if (::fstat(entry->publication.prepared.fd().get(), &info) != 0) info.st_dev = 0;
        filesystems[info.st_dev].push_back(entry);
    }
    for (const auto& [device, entries] : filesystems) {
        if (entries.size() >= kSyncWhole) {
            if (::syncfs(entries.front()->publication.prepared.fd().get()) == 0) continue;
            const Error error = errno_error(errno, "syncing files");
            for (Entry* entry : entries) entry->outcome = fail(error);
            continue;
        }
        for (Entry* entry : entries) {
            Result<void> synced = entry->publication.prepared.sync();
            if (!synced) entry->outcome = fail(std::move(synced).error());
        }
    }
}

void Publisher::run_batch(std::vector<Entry*>& batch) {
    for (Entry* entry : batch) entry->outcome = prepare(entry->publication);
    sync_contents(batch);
    std::set<std::string> folders;
    for (Entry* entry : batch) {
        if (!entry->outcome) continue;
        Result<std::string> path =
            entry->publication.prepared.publish(entry->publication.collision);
        if (path) {
            entry->outcome->path = std::move(*path);
            folders.insert(entry->publication.folder);
        } else {
            entry->outcome = fail(std::move(path).error());
        }
    }
    for (const std::string& folder : folders) {
        const Result<void> synced = sync_folder(folder);
        for (Entry* entry : batch) {
            if (!synced && entry->outcome && entry->publication.folder == folder) {
                entry->outcome = fail(synced.error());
            }
        }
    }
}

Task<Result<Published>> Publisher::publish(Publication publication) {
    Entry entry{std::move(publication), Result<Published>(), false};
    waiting_.push_back(&entry);
    Cancel never;
    while (!entry.finished) {
        if (busy_) {
            const Result<void> woken = co_await done_.wait(never);
            MUSHER_CHECK(woken.has_value());
            continue;
        }
        busy_ = true;
        std::vector<Entry*> batch;
        const std::size_t size = std::min(waiting_.size(), limits::kFileBatch);
        batch.assign(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(size));
        waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(size));
        auto work = [&batch] {
            run_batch(batch);
            return 0;
        };
        co_await offload(loop_, work);
        for (Entry* done : batch) done->finished = true;
        busy_ = false;
        done_.wake_all();
    }
    co_return entry.outcome;
}

}  // namespace musher
