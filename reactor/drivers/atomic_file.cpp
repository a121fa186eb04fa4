#include "reactor/drivers/atomic_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <cerrno>
#include <ctime>
#include <filesystem>
#include <vector>

#include "reactor/base/text.h"
#include "reactor/base/uuid.h"

namespace musher {

namespace {
constexpr std::string_view kMark = ".musher-tmp-";
constexpr std::size_t kNameBytes = 255;
constexpr int kMostNumbers = 10'000;
constexpr std::time_t kOld = 3600;

/// At most `room` bytes, not ending within a UTF-8 character.
std::string cut(const std::string& name, std::size_t room) {
    if (name.size() <= room) return name;
    std::size_t end = room;
    while (end + 3 > room && end > 0 && (static_cast<unsigned char>(name[end]) & 0xc0) == 0x80)
        --end;
    return name.substr(0, end);
}

/// `.NAME.musher-tmp-1234567890ab`, NAME cut where the whole would be too long.
std::string temporary_name(const std::string& name) {
    const std::string tail = std::string(kMark) + new_uuid7(0).substr(24);
    return "." + cut(name, kNameBytes - 1 - tail.size()) + tail;
}

/// Between two links of one file rename(2) succeeds and does nothing.
void drop_second_link(const std::string& from, const std::string& to) {
    struct stat left {};
    struct stat there {};
    if (::lstat(from.c_str(), &left) != 0 || left.st_nlink < 2) return;
    if (::lstat(to.c_str(), &there) != 0) return;
    if (left.st_ino == there.st_ino && left.st_dev == there.st_dev) ::unlink(from.c_str());
}

bool marked_by(const std::string& path, const std::string& job) {
    if (job.empty()) return false;
    std::string mark(job.size(), '\0');  // a longer one does not fit in, and is another's
    const ssize_t size = ::lgetxattr(path.c_str(), kJobAttribute, mark.data(), mark.size());
    return size == static_cast<ssize_t>(mark.size()) && mark == job;
}
}  // namespace

Result<Collision> parse_collision(std::string_view name) {
    if (name == "number") return Collision::number;
    if (name == "replace") return Collision::replace;
    if (name == "fail") return Collision::fail;
    return fail(Errc::usage, "'" + std::string(name) + "' is not number, replace or fail");
}

Result<void> check_entry_name(std::string_view name) {
    if (name.empty() || name == "." || name == ".." || name.size() > kNameBytes ||
        name.find('/') != std::string_view::npos || name.find('\0') != std::string_view::npos) {
        return fail(Errc::usage, "'" + escape_name(name) + "' cannot name a file in a folder");
    }
    return {};
}

Result<AtomicFile> AtomicFile::create(const std::string& folder, const std::string& name,
                                      mode_t mode, std::uint64_t bytes) {
    MUSHER_DO(check_entry_name(name));
    AtomicFile file;
    file.folder_ = folder;
    file.name_ = name;
    file.temporary_ = folder + "/" + temporary_name(name);
    MUSHER_TRY(file.fd_, Fd::open(file.temporary_, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    if (::fchmod(file.fd_.get(), mode) != 0) {
        return fail(errno_error(errno, "setting the mode of " + file.temporary_));
    }
    if (bytes > 0 && ::fallocate(file.fd_.get(), FALLOC_FL_KEEP_SIZE, 0,
                                 static_cast<off_t>(bytes)) != 0 &&
        errno == ENOSPC) {
        return fail(errno_error(ENOSPC, "writing to " + folder));
    }
    return file;
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept { *this = std::move(other); }

AtomicFile& AtomicFile::operator=(AtomicFile&& other) noexcept {
    std::swap(folder_, other.folder_);
    std::swap(name_, other.name_);
    std::swap(temporary_, other.temporary_);
    std::swap(job_, other.job_);
    std::swap(fd_, other.fd_);
    return *this;
}

AtomicFile::~AtomicFile() {
    if (fd_ && !temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::mark(const std::string& job, int hops) {
    job_ = job;
    const std::string count = std::to_string(hops);
    // Best effort: where xattrs are missing, a retry sees a stranger's file and takes a number.
    ::fsetxattr(fd_.get(), kJobAttribute, job.data(), job.size(), 0);
    ::fsetxattr(fd_.get(), kHopsAttribute, count.data(), count.size(), 0);
}

void AtomicFile::start_sync() { ::sync_file_range(fd_.get(), 0, 0, SYNC_FILE_RANGE_WRITE); }

Result<void> AtomicFile::sync() {
    // A failed fsync is never retried: the pages may be gone. The job runs again from its source.
    if (::fsync(fd_.get()) != 0) return fail(errno_error(errno, "syncing a file in " + folder_));
    return {};
}

Result<std::string> AtomicFile::publish(Collision collision) {
    std::string wanted = folder_ + "/" + name_;
    for (int number = 2; number < kMostNumbers; ++number) {
        Result<void> renamed;
        if (collision == Collision::replace || marked_by(wanted, job_)) {
            if (::rename(temporary_.c_str(), wanted.c_str()) != 0) {
                renamed = fail(errno_error(errno, "renaming to " + escape_name(wanted)));
            }
        } else {
            renamed = rename_no_replace(temporary_, wanted);
        }
        if (renamed) {
            temporary_.clear();
            return wanted;
        }
        if (renamed.error().code != Errc::conflict || collision != Collision::number) {
            return fail(std::move(renamed).error());
        }
        if (marked_by(wanted, job_)) {
            --number;  // our own file of an earlier attempt appeared in between: replace it
            continue;
        }
        wanted = folder_ + "/" + numbered_name(name_, number);
    }
    return fail(Errc::conflict, "too many files are named like " + escape_name(wanted));
}

Result<std::string> AtomicFile::commit(Collision collision) {
    MUSHER_DO(sync());
    MUSHER_TRY(std::string path, publish(collision));
    MUSHER_DO(sync_folder(folder_));
    return path;
}

Result<void> sync_folder(const std::string& folder) {
    MUSHER_TRY(const Fd opened, open_folder(folder));
    return sync_folder(opened, folder);
}

Result<Fd> open_folder(const std::string& folder) {
    return Fd::open(folder, O_RDONLY | O_DIRECTORY);
}

Result<void> sync_folder(const Fd& opened, const std::string& folder) {
    if (::fsync(opened.get()) != 0 && errno != EINVAL) {
        return fail(errno_error(errno, "syncing the folder " + folder));
    }
    return {};
}

Result<void> make_folders(const std::string& folder) {
    std::vector<std::string> grown;  // get a new entry
    std::filesystem::path missing = folder;
    struct stat info {};
    while (!missing.empty() && ::stat(missing.c_str(), &info) != 0 && errno == ENOENT) {
        missing = missing.parent_path();
        grown.push_back(missing.empty() ? "." : missing.string());
    }
    std::error_code failed;
    std::filesystem::create_directories(folder, failed);
    if (failed) return fail(errno_error(failed.value(), "creating " + escape_name(folder)));
    for (const std::string& one : grown) MUSHER_DO(sync_folder(one));
    return {};
}

void sweep_temporaries(const std::string& folder) {
    DIR* opened = ::opendir(folder.c_str());
    if (!opened) return;
    const std::time_t now = std::time(nullptr);
    while (const dirent* entry = ::readdir(opened)) {
        const std::string_view name(entry->d_name);
        if (name.front() != '.' || name.find(kMark) == std::string_view::npos) continue;
        struct stat info {};
        const int at = ::dirfd(opened);
        if (at < 0 || ::fstatat(at, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) continue;
        if (S_ISREG(info.st_mode) && now - info.st_mtime > kOld) ::unlinkat(at, entry->d_name, 0);
    }
    ::closedir(opened);
}

std::string numbered_name(const std::string& name, int number) {
    return marked_name(name, "-" + std::to_string(number));
}

std::string marked_name(const std::string& name, const std::string& mark) {
    std::size_t dot = name.rfind('.');
    // An "extension" that leaves no room for the rest is none.
    if (dot == 0 || dot == std::string::npos || name.size() - dot > kNameBytes / 2) {
        dot = name.size();
    }
    const std::string tail = mark + name.substr(dot);
    return cut(name.substr(0, dot), kNameBytes - tail.size()) + tail;
}

int try_rename(const std::string& from, const std::string& to, bool replace) {
    if (replace && ::rename(from.c_str(), to.c_str()) != 0) return errno;
    if (replace) {
        drop_second_link(from, to);
        return 0;
    }
    if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
    if (errno != EINVAL && errno != ENOSYS) return errno;
    if (::link(from.c_str(), to.c_str()) != 0) return errno;
    ::unlink(from.c_str());
    return 0;
}

Result<void> rename_no_replace(const std::string& from, const std::string& to) {
    const int failed = try_rename(from, to, false);
    if (failed == 0) return {};
    return fail(errno_error(failed, "renaming " + escape_name(from) + " to " + escape_name(to)));
}

}  // namespace musher
