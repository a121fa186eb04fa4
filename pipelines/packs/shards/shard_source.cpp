#include "pipelines/packs/shards/shard_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

#include <cerrno>
#include <filesystem>

#include "reactor/base/clock.h"
#include "reactor/base/fd.h"
#include "reactor/base/text.h"
#include "reactor/tree/file_content.h"

namespace musher {

namespace {
constexpr std::uint64_t kPerFolder = 4096;  // its block

/// Without links and dots, so that one folder has one name.
std::string resolved(const std::string& path) {
    std::error_code failed;
    const std::filesystem::path whole = std::filesystem::canonical(path, failed);
    return failed ? std::string() : whole.string();
}

std::string as_given(const std::string& path) {
    std::error_code failed;
    return std::filesystem::absolute(path, failed).lexically_normal().string();
}

bool is_folder(const std::string& path, struct stat& info) {
    return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}
bool same_file(const struct stat& one, const struct stat& other) {
    return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

/// "" where there is none.
std::string attribute(const std::string& path, const char* name) {
    std::string value(4096, '\0');
    const ssize_t size = ::lgetxattr(path.c_str(), name, value.data(), value.size());
    value.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    return value;
}
std::string mark_of(const std::string& name, const struct stat& info) {
    return name + ":" + std::to_string(info.st_ino);
}

/// Whether blocks of the source can be shared: then a copy takes no room.
bool can_clone(const std::string& sample, int draft) {
    const Result<Fd> from = Fd::open(sample, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    constexpr const char* kProbe = ".probe";
    const Result<Fd> to = Fd::open_at(draft, kProbe, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW);
    if (!to) return false;
    CopyWays ways;
    const bool cloned = from && clone_file(from->get(), to->get(), ways).value_or(false);
    ::unlinkat(draft, kProbe, 0);
    return cloned;
}
}  // namespace

std::string source_of(const std::string& target) { return attribute(target, kSourceAttribute); }

void set_source(int target, const ShardSpot& spot) {
    const std::string whole = resolved(spot.source);
    struct stat info{};
    if (whole.empty() || ::fstat(target, &info) != 0) return;
    const std::string mark = mark_of(spot.name, info);
    const std::string given = as_given(spot.source);
    ::fsetxattr(target, kSourceAttribute, whole.data(), whole.size(), 0);
    ::fsetxattr(target, kGivenAttribute, given.data(), given.size(), 0);
    ::fsetxattr(target, kShardAttribute, mark.data(), mark.size(), 0);
}

bool is_own(const ShardSpot& spot) {
    struct stat info{};
    const std::string target = spot.target();
    return ::lstat(target.c_str(), &info) == 0 && S_ISDIR(info.st_mode) &&
           attribute(target, kShardAttribute) == mark_of(spot.name, info);
}

Result<bool> is_on_ssd(const ShardSpot& spot) {
    const std::string target = spot.target();
    struct stat there{}, source{};
    if (::lstat(target.c_str(), &there) != 0) {
        if (errno == ENOENT) return false;
        return fail(errno_error(errno, "looking for " + escape_name(target)));
    }
    if (!S_ISDIR(there.st_mode)) {
        return fail(Errc::conflict, escape_name(target) + " is no folder");
    }
    const bool same = ::stat(spot.source.c_str(), &source) == 0 && same_file(source, there);
    if (same || resolved(spot.source).starts_with(resolved(target) + "/")) {
        return fail(Errc::usage, escape_name(spot.source) + " lies on the SSD itself",
                    "name the shard that it shall be a copy of");
    }
    return true;
}

Result<void> check_source(const ShardSpot& spot) {
    struct stat info{};
    const int number = ::stat(spot.source.c_str(), &info) != 0 ? errno : ENOTDIR;
    if (!S_ISDIR(info.st_mode)) return fail(errno_error(number, escape_name(spot.source)));
    const std::string target = spot.target();
    const std::string copied = source_of(target);
    const std::string wanted = resolved(spot.source);
    if (copied.empty() || wanted.empty() || copied == wanted) return {};
    return fail(Errc::conflict,
                escape_name(target) + " is a copy of " + escape_name(copied) + ", not of " +
                    escape_name(wanted),
                "shards of one name need an SSD folder and a folder of lock files each");
}

Result<void> check_removal(const ShardSpot& spot) {
    struct stat copied{}, given{};
    const bool known = spot.is_path && is_folder(spot.source, given) &&
                       is_folder(source_of(spot.target()), copied);
    const bool other = known && !same_file(copied, given) &&
                       attribute(spot.target(), kGivenAttribute) != as_given(spot.source);
    return other ? check_source(spot) : Result<void>();
}

Result<void> check_room(const ShardSpot& spot, const TreeMeasure& measure, int draft) {
    struct statvfs room{};
    if (::fstatvfs(draft, &room) != 0) return {};
    const TreeTotals& totals = measure.totals;
    const std::uint64_t needed = totals.allocated + totals.folders * kPerFolder;
    const std::uint64_t free = room.f_bavail * room.f_frsize;
    if (room.f_files > 0 && measure.inodes > room.f_favail) {
        return fail(Errc::full, escape_name(spot.name) + " holds " +
                                    std::to_string(measure.inodes) + " files, and " +
                                    escape_name(spot.ssd_dir) + " has room for " +
                                    std::to_string(room.f_favail));
    }
    if (needed <= free || can_clone(measure.sample, draft)) return {};
    return fail(Errc::full, escape_name(spot.name) + " takes " + format_size(needed) + ", and " +
                                escape_name(spot.ssd_dir) + " has " + format_size(free) + " left");
}

}  // namespace musher
