#include "sources/premises.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "sources/folder_probe.h"
#include "sources/work_path.h"

namespace musher::hotfolder {

namespace {
constexpr mode_t kWorkMode = 0700;  // who dropped a file must not reach it once it was checked
constexpr std::size_t kLockBytes = 256;

/// The first pipeline that works here owns the work root, for good: what it finds there at start
/// is its own. kill -9 before the name is written: the empty file is taken by the next one.
Result<bool> owns_work_root(const Fd& base, const std::string& pipeline) {
    MUSHER_TRY(const Fd owner, Fd::open_at(base.get(), "owner", O_RDWR | O_CREAT, 0600));
    // Pipelines of one process come here at the same time. Where locks are unknown, hosts must be
    // set apart by `shared` anyway.
    ::flock(owner.get(), LOCK_EX);
    char name[kLockBytes];
    const ssize_t size = ::pread(owner.get(), name, sizeof name, 0);
    if (size < 0) return fail(errno_error(errno, "reading .musher/owner"));
    if (size > 0) return std::string_view(name, static_cast<std::size_t>(size)) == pipeline;
    MUSHER_DO(write_all(owner.get(), pipeline));
    if (::fsync(owner.get()) != 0) return fail(errno_error(errno, "writing .musher/owner"));
    return true;
}

Result<void> take_lock(Premises& premises, const Fd& base, const PremisesWish& wish) {
    const std::string name = wish.pipeline + (wish.shared ? "@" + wish.node : "") + ".lock";
    MUSHER_TRY(premises.lock, Fd::open_at(base.get(), name, O_RDWR | O_CREAT, 0600));
    if (::flock(premises.lock.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        char owner[kLockBytes];
        const ssize_t size = ::pread(premises.lock.get(), owner, sizeof owner, 0);
        std::string text(owner, size > 0 ? static_cast<std::size_t>(size) : 0);
        return fail(
            Errc::conflict,
            "another musher works on " + wish.folder + (text.empty() ? "" : " (node " + text + ")"),
            "stop it; several hosts on one folder need shared: true");
    }
    // Any other error: a network file system without locks, where only `shared` sets hosts apart.
    const std::string owner = wish.node.substr(0, kLockBytes);
    if (::ftruncate(premises.lock.get(), 0) != 0 ||
        ::pwrite(premises.lock.get(), owner.data(), owner.size(), 0) < 0) {
        // The name only helps whoever reads the message above.
    }
    return {};
}

Result<void> open_work(Premises& premises, const PremisesWish& wish) {
    const Fd base = make_beneath(premises.root, ".musher", kWorkMode);
    std::string relative(kWorkRoot);
    if (base) {
        bool owner = false;
        if (!wish.shared) {
            const Result<bool> owns = owns_work_root(base, wish.pipeline);
            if (!owns && wish.in_place) return {};
            if (!owns) return fail(owns.error());
            owner = *owns;
        }
        if (!owner) relative = work_folder(wish.pipeline, wish.shared ? wish.node : "");
        premises.work = make_beneath(premises.root, relative, kWorkMode);
    }
    if (!premises.work) {
        Error error = errno_error(errno, "making " + relative);
        if (wish.in_place) return {};
        if (error.code == Errc::denied) {
            error.hint = "let the user that musher runs as write into " + wish.folder +
                         ", or set claim: none";
        }
        return fail(std::move(error).within("claiming files in " + wish.folder));
    }
    premises.work_path = (wish.folder == "/" ? "" : wish.folder) + "/" + relative;
    return take_lock(premises, base, wish);
}

/// What a link names inside is seen there by its real name.
std::vector<std::string> asides_inside(const PremisesWish& wish) {
    namespace fs = std::filesystem;
    std::vector<std::string> inside;
    std::error_code failed;
    const fs::path folder = fs::weakly_canonical(wish.folder, failed);
    for (const std::string& aside : wish.asides) {
        const fs::path real = fs::weakly_canonical(aside, failed);
        const fs::path relative = failed ? fs::path() : real.lexically_relative(folder);
        if (!relative.empty() && *relative.begin() != "..") inside.push_back(relative.string());
    }
    return inside;
}
/// Of the path, or of the folder in which it would be made.
bool stat_nearest(std::string path, struct stat& status) {
    while (::stat(path.c_str(), &status) != 0) {
        const std::size_t slash = path.rfind('/');
        if (errno != ENOENT || slash == std::string::npos || path.size() == 1) return false;
        path.resize(std::max<std::size_t>(slash, 1));
    }
    return true;
}
}  // namespace

Result<void> check_asides(const PremisesWish& wish, const Fd& folder) {
    struct stat here{};
    if (::fstat(folder.get(), &here) != 0) {
        return fail(errno_error(errno, "reading " + wish.folder));
    }
    for (const std::string& aside : wish.asides) {
        struct stat status{};
        if (wish.trees && stat_nearest(aside, status) && status.st_dev != here.st_dev) {
            return fail(Errc::usage, aside + " is not on the mount of " + wish.folder,
                        "`unit: folder` renames whole folders: keep done and failed on its mount");
        }
        if (::stat(aside.c_str(), &status) != 0) continue;
        if (!sample_of(status).same_inode(sample_of(here))) continue;
        return fail(Errc::usage, aside + " leads back to the watched folder " + wish.folder,
                    "its files would be taken again: remove the symlink");
    }
    return {};
}

Result<std::shared_ptr<const Premises>> open_premises(const PremisesWish& wish) {
    auto premises = std::make_shared<Premises>();
    premises->folder = wish.folder;
    MUSHER_TRY(premises->root, Fd::open(wish.folder, O_RDONLY | O_DIRECTORY));
    MUSHER_TRY(premises->traits, traits_of(premises->root));
    struct stat status{};
    if (::fstat(premises->root.get(), &status) != 0) {
        return fail(errno_error(errno, "reading " + wish.folder));
    }
    premises->identity = sample_of(status);
    MUSHER_DO(check_asides(wish, premises->root));
    premises->asides = asides_inside(wish);
    MUSHER_DO(open_work(*premises, wish));
    sweep_probe(premises->root);
    sweep_probe(premises->work);
    return std::shared_ptr<const Premises>(std::move(premises));
}

bool still_there(const Premises& premises) {
    struct stat status{};
    return ::stat(premises.folder.c_str(), &status) == 0 &&
           sample_of(status).same_inode(premises.identity);
}

bool known_there(const Premises& premises) {
    open_how how{};
    how.flags = O_PATH | O_CLOEXEC;
    how.resolve = RESOLVE_CACHED;
    const long opened = ::syscall(SYS_openat2, AT_FDCWD, premises.folder.c_str(), &how, sizeof how);
    const Fd at(static_cast<int>(opened));
    struct statx status{};
    if (!at || ::statx(at.get(), "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &status) != 0) {
        return false;
    }
    FileSample now;
    now.dev = ::makedev(status.stx_dev_major, status.stx_dev_minor);
    now.ino = status.stx_ino;
    return now.same_inode(premises.identity);
}

}  // namespace musher::hotfolder
