#include "sources/file_sample.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "reactor/base/uuid.h"

namespace musher::hotfolder {

namespace {
/// What lies beyond the years 1678 to 2261 counts as the nearest of them.
std::int64_t nanoseconds(const struct timespec& time) {
    constexpr std::int64_t kSecond = 1'000'000'000;
    constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max() / kSecond - 1;
    const std::int64_t seconds = std::clamp<std::int64_t>(time.tv_sec, -kMost, kMost);
    return seconds * kSecond + time.tv_nsec;
}
}  // namespace

FileSample sample_of(const struct stat& status) {
    FileSample sample;
    sample.dev = status.st_dev;
    sample.ino = status.st_ino;
    sample.size = static_cast<std::uint64_t>(status.st_size);
    sample.mtime_ns = nanoseconds(status.st_mtim);
    sample.ctime_ns = nanoseconds(status.st_ctim);
    sample.uid = status.st_uid;
    return sample;
}

std::string standing_id(const std::string& path, const FileSample& sample, bool stable_inodes) {
    // The path is last: no byte of it can be taken for another field.
    return uuid_of(fmt::format("hotfolder {} {} {} {}", stable_inodes ? sample.ino : 0, sample.size,
                               sample.mtime_ns, path));
}

}  // namespace musher::hotfolder
