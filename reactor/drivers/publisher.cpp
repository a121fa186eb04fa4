#include "reactor/drivers/publisher.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "reactor/base/digest.h"
#include "reactor/base/limits.h"
#include "reactor/loop/offload.h"

namespace musher {

namespace {

constexpr std::size_t kSyncWhole = 4;
constexpr std::size_t kFoldersKnown = 1024;

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

/// Each fsync waits for a flush of the disk; from kSyncWhole files on, one syncfs(2) costs less
/// than theirs, though it also waits for what others have written there.
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

void Publisher::run_batch(const std::vector<Entry*>& batch) {
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
    // Closing and removing may wait for the disk: not for the loop thread.
    for (Entry* entry : batch) entry->publication.prepared = AtomicFile();
}

std::vector<Publisher::Entry*> Publisher::next_batch() {
    const std::size_t size = std::min(waiting_.size(), limits::kFileBatch);
    const auto end = waiting_.begin() + static_cast<std::ptrdiff_t>(size);
    std::vector<Entry*> batch(waiting_.begin(), end);
    waiting_.erase(waiting_.begin(), end);
    return batch;
}

std::set<std::string> Publisher::unswept(const std::vector<Entry*>& batch) {
    if (swept_.size() > kFoldersKnown) swept_.clear();
    std::set<std::string> folders;
    for (const Entry* entry : batch) {
        const std::string& folder = entry->publication.folder;
        if (swept_.insert(folder).second) folders.insert(folder);
    }
    return folders;
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
        const std::vector<Entry*> batch = next_batch();
        const std::set<std::string> folders = unswept(batch);
        auto work = [&batch, &folders] {
            run_batch(batch);
            for (const std::string& folder : folders) sweep_temporaries(folder);
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
