#include "pipelines/packs/shards/shard_lock.h"

#include <dirent.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <memory>

#include "reactor/base/text.h"
#include "reactor/base/uuid.h"
#include "reactor/drivers/atomic_file.h"

namespace musher {

namespace {
constexpr std::size_t kMostBytes = 16 << 20;
constexpr std::size_t kMarkDigits = 12;
constexpr std::string_view kSuffix = ".lock";
constexpr std::string_view kTemporary = ".lock.tmp.";

Failure failed(const char* what, const std::string& path) {
    return fail(errno_error(errno, std::string(what) + " " + escape_name(path)));
}

/// Whether the path still leads to the open file.
bool is_there(const Fd& file, const std::string& path) {
    struct stat here{}, there{};
    return ::fstat(file.get(), &here) == 0 && ::lstat(path.c_str(), &there) == 0 &&
           here.st_dev == there.st_dev && here.st_ino == there.st_ino;
}

constexpr int kCarefully = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;  // it may be a pipe or a link

/// A lock file that could not be opened, `file` empty, or that is none.
Result<Fd> checked(Fd file, const std::string& path) {
    struct stat info{};
    const bool odd = file ? ::fstat(file.get(), &info) == 0 && !S_ISREG(info.st_mode)
                          : errno == ELOOP || errno == EISDIR || errno == ENXIO;
    if (odd) {
        return fail(Errc::conflict, "the lock file " + escape_name(path) + " is no file",
                    "another program has made it; remove it or take another folder");
    }
    if (!file) return failed("opening the lock file", path);
    return file;
}

Result<std::vector<std::string>> read_users(int file, const std::string& path) {
    std::string text;
    char chunk[4096];
    for (;;) {
        const ssize_t got = ::read(file, chunk, sizeof chunk);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return failed("reading", path);
        if (got == 0) return parse_users(text);
        text.append(chunk, static_cast<std::size_t>(got));
        if (text.size() > kMostBytes) return fail(Errc::usage, escape_name(path) + " is too large");
    }
}

struct CloseDir {
    void operator()(DIR* opened) const { ::closedir(opened); }
};
}  // namespace

std::string shard_of_temporary(std::string_view file) {
    if (file.size() < 2 + kTemporary.size() + kMarkDigits || file.front() != '.') return "";
    const std::string_view mark = file.substr(file.size() - kMarkDigits);
    if (mark.find_first_not_of("0123456789abcdef") != std::string_view::npos) return "";
    file = file.substr(1, file.size() - 1 - kMarkDigits);
    if (!file.ends_with(kTemporary)) return "";
    return std::string(file.substr(0, file.size() - kTemporary.size()));
}

Result<std::optional<ShardLock>> ShardLock::try_take(const ShardSpot& spot) {
    const std::string path = spot.lock_path();
    for (;;) {
        Result<Fd> opened =
            checked(Fd(::open(path.c_str(), O_RDWR | O_CREAT | kCarefully, 0666)), path);
        if (!opened && opened.error().code == Errc::not_found) {
            opened.error().hint = "make the folder of lock files first";
        }
        MUSHER_TRY(Fd file, std::move(opened));
        if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
            if (errno == EWOULDBLOCK) return std::nullopt;
            if (errno == EINTR) continue;
            return failed("locking", path);
        }
        // Locked, but maybe not what others lock: removed or replaced since it was opened.
        if (!is_there(file, path)) continue;
        ShardLock lock(path, std::move(file));
        MUSHER_DO(lock.read());
        lock.sweep();
        return lock;
    }
}

bool ShardLock::is_held(const std::string& lock_path) {
    const Fd file(::open(lock_path.c_str(), O_RDONLY | kCarefully));
    return file && ::flock(file.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

Result<std::vector<std::string>> ShardLock::users_of(const std::string& lock_path) {
    MUSHER_TRY(const Fd file,
               checked(Fd(::open(lock_path.c_str(), O_RDONLY | kCarefully)), lock_path));
    return read_users(file.get(), lock_path);
}

Result<void> ShardLock::read() {
    MUSHER_TRY(users_, read_users(file_.get(), path_));
    return {};
}

/// The holder alone makes such files, so that these are of a killed one.
void ShardLock::sweep() const {
    std::string own = path_.substr(path_.rfind('/') + 1);
    own.resize(own.size() - kSuffix.size());
    const std::unique_ptr<DIR, CloseDir> opened(::opendir(folder().c_str()));
    if (!opened) return;
    while (const dirent* entry = ::readdir(opened.get())) {
        if (shard_of_temporary(entry->d_name) != own) continue;
        ::unlinkat(::dirfd(opened.get()), entry->d_name, 0);
    }
}

Result<void> ShardLock::write_beside(const std::string& temporary, const std::string& text,
                                     Fd& made) {
    struct stat info{};
    if (::fstat(file_.get(), &info) != 0) return failed("reading", path_);
    MUSHER_TRY(made, Fd::open(temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    // Locked before it has the name: nobody finds it free.
    if (::flock(made.get(), LOCK_EX | LOCK_NB) != 0) return failed("locking", temporary);
    const bool own = info.st_uid == ::geteuid() && info.st_gid == ::getegid();
    if (!own && ::fchown(made.get(), info.st_uid, info.st_gid) != 0 && errno != EPERM) {
        return failed("setting the owner of", temporary);
    }
    if (::fchmod(made.get(), info.st_mode & 07777) != 0) {
        return failed("setting the mode of", temporary);
    }
    Result<void> written = write_all(made.get(), text);
    if (!written) return fail(std::move(written).error().within(escape_name(temporary)));
    if (::fsync(made.get()) != 0) return failed("syncing", temporary);
    return {};
}

// kill -9 before the rename: the old list, and a temporary file for sweep(). After it: the new one.
Result<void> ShardLock::swap(const std::string& text) {
    const std::string name = path_.substr(path_.rfind('/') + 1);
    const std::string temporary =
        folder() + "/." + name + ".tmp." + new_uuid7(0).substr(36 - kMarkDigits);
    MUSHER_TRY(const Fd around, open_folder(folder()));
    Fd made;
    Result<void> done = write_beside(temporary, text, made);
    if (done && ::rename(temporary.c_str(), path_.c_str()) != 0) done = failed("replacing", path_);
    if (!done) {
        if (made) ::unlink(temporary.c_str());
        return done;
    }
    file_ = std::move(made);
    return sync_folder(around, folder());
}

Result<void> ShardLock::remove() {
    MUSHER_TRY(const Fd around, open_folder(folder()));
    if (::unlink(path_.c_str()) != 0) return failed("removing", path_);
    return sync_folder(around, folder());
}

Result<void> ShardLock::replace(std::vector<std::string> users) {
    if (users.empty()) {
        MUSHER_DO(remove());
    } else {
        MUSHER_DO(swap(format_users(users)));
    }
    users_ = std::move(users);
    return {};
}

void ShardLock::release() {
    // What it may remove is the file that it holds: nobody else removes or replaces it meanwhile.
    if (file_ && users_.empty() && is_there(file_, path_)) ::unlink(path_.c_str());
    file_.reset();
}

}  // namespace musher
