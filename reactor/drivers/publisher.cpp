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
        MUSHER_TRY(const Fd source, open_body(wanted.source, wanted.identity));
        MUSHER_DO(ensure_target(wanted.folder));
        struct stat info{};
        if (::fstat(source.get(), &info) != 0) return fail(errno_error(errno, wanted.source));
        MUSHER_TRY(wanted.prepared, AtomicFile::create(wanted.folder, wanted.name, wanted.mode,
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

Result<void> ensure_target(const std::string& folder) {
    struct stat info{};
    if (::stat(folder.c_str(), &info) == 0) {
        if (S_ISDIR(info.st_mode)) return {};
        return fail(Errc::denied, folder + " is not a folder");
    }
    const Result<void> made = make_folders(folder);
    if (made) return {};
    Error error = made.error();
    error.code = error.code == Errc::not_found ? Errc::unavailable : error.code;
    error.hint = "create it, or mount what belongs there";
    return fail(std::move(error));
}

/// Each fsync waits for a flush of the disk; from kSyncWhole files on, one syncfs(2) costs less
/// than theirs, though it also waits for what others have written there.
void Publisher::sync_contents(const Batch& batch) {
    std::map<dev_t, Batch> filesystems;
    for (const auto& entry : batch) {
        struct stat info{};
        if (!entry->outcome) continue;
        if (::fstat(entry->publication.prepared.fd().get(), &info) != 0) info.st_dev = 0;
        filesystems[info.st_dev].push_back(entry);
    }
    for (const auto& [device, entries] : filesystems) {
        if (entries.size() >= kSyncWhole) {
            if (::syncfs(entries.front()->publication.prepared.fd().get()) == 0) continue;
            const Error error = errno_error(errno, "syncing files");
            for (const auto& entry : entries) entry->outcome = fail(error);
            continue;
        }
        for (const auto& entry : entries) {
            Result<void> synced = entry->publication.prepared.sync();
            if (!synced) entry->outcome = fail(std::move(synced).error());
        }
    }
}

void Publisher::run_batch(const Batch& batch) {
    for (const auto& entry : batch) entry->outcome = prepare(entry->publication);
    sync_contents(batch);
    std::set<std::string> folders;
    for (const auto& entry : batch) {
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
        for (const auto& entry : batch) {
            if (!synced && entry->outcome && entry->publication.folder == folder) {
                entry->outcome = fail(synced.error());
            }
        }
    }
    // Closing and removing may wait for the disk: not for the loop thread.
    for (const auto& entry : batch) entry->publication.prepared = AtomicFile();
}

/// Of those that somebody waits for, or does not: the first of them, out of `waiting_`.
Publisher::Batch Publisher::take(bool wanted) {
    Batch batch;
    std::erase_if(waiting_, [&](const std::shared_ptr<Entry>& entry) {
        const bool taken = entry->wanted == wanted && batch.size() < limits::kFileBatch;
        if (taken) batch.push_back(entry);
        return taken;
    });
    return batch;
}

std::set<std::string> Publisher::unswept(const Batch& batch) {
    if (swept_.size() > kFoldersKnown) swept_.clear();
    std::set<std::string> folders;
    for (const auto& entry : batch) {
        const std::string& folder = entry->publication.folder;
        if (swept_.insert(folder).second) folders.insert(folder);
    }
    return folders;
}

Publisher::Publisher(Loop& loop)
    : loop_(loop), done_(loop.ready()), scope_("publisher", loop.ready(), loop.clock()) {}

Task<void> Publisher::close() { co_await scope_.join(); }

Task<void> Publisher::run() {
    while (!waiting_.empty()) {
        Batch unwanted = take(false);
        const Batch batch = take(true);
        const std::set<std::string> folders = unswept(batch);
        auto work = [&] {
            for (const auto& entry : unwanted) entry->publication.prepared = AtomicFile();
            run_batch(batch);
            for (const std::string& folder : folders) sweep_temporaries(folder);
            return 0;
        };
        co_await offload(loop_, work);
        for (const auto& entry : batch) entry->finished = true;
        done_.wake_all();
    }
    busy_ = false;
}

Task<Result<Published>> Publisher::publish(Publication publication, Cancel& cancel) {
    const auto entry = std::make_shared<Entry>();
    entry->publication = std::move(publication);
    waiting_.push_back(entry);
    if (!busy_) {
        busy_ = true;
        scope_.spawn("publish", run());
    }
    while (!entry->finished) {
        const Result<void> woken = co_await done_.wait(cancel);
        if (woken || entry->finished) continue;
        entry->wanted = false;
        co_return fail(woken.error());
    }
    co_return std::move(entry->outcome);
}

}  // namespace musher
