#include "reactor/tree/file_content.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace musher {

namespace {

Failure failed(const char* what) { return fail(errno_error(errno, what)); }

/// The file systems, or the two together, do not know this way.
bool another_way() {
    return errno == EXDEV || errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL ||
           errno == EPERM || errno == ENOTTY || errno == ETXTBSY || errno == EBADF;
}

Failure shrunk() { return fail(Errc::conflict, "it became shorter while it was copied"); }

Result<void> write_at(int to, const unsigned char* bytes, std::size_t size, std::uint64_t offset) {
    while (size > 0) {
        const ssize_t put = ::pwrite(to, bytes, size, static_cast<off_t>(offset));
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return failed("writing its copy");
        bytes += put;
        size -= static_cast<std::size_t>(put);
        offset += static_cast<std::uint64_t>(put);
    }
    return {};
}

Result<void> copy_by_hand(int from, int to, std::uint64_t offset, std::uint64_t end,
                          Slice& buffer) {
    while (offset < end) {
        const std::size_t wanted = std::min<std::uint64_t>(buffer.capacity(), end - offset);
        const ssize_t got = ::pread(from, buffer.data(), wanted, static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return failed("reading it");
        if (got == 0) return shrunk();
        MUSHER_DO(write_at(to, buffer.data(), static_cast<std::size_t>(got), offset));
        offset += static_cast<std::uint64_t>(got);
    }
    return {};
}

/// Data without holes, [offset, end).
Result<void> copy_data(int from, int to, std::uint64_t offset, std::uint64_t end, CopyWays& ways,
                       Slice& buffer) {
    while (offset < end && ways.kernel && end - offset > buffer.capacity()) {
        off_t read = static_cast<off_t>(offset), written = read;
        const ssize_t got = ::copy_file_range(from, &read, to, &written, end - offset, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && !another_way()) return failed("copying it");
        // Some file systems give up with 0 in the middle of a file.
        if (got < 0) ways.kernel = false;
        if (got <= 0) break;
        offset += static_cast<std::uint64_t>(got);
    }
    return copy_by_hand(from, to, offset, end, buffer);
}

/// [offset, end) without what SEEK_DATA calls holes.
Result<void> copy_around_holes(int from, int to, std::uint64_t offset, std::uint64_t end,
                               CopyWays& ways, Slice& buffer) {
    while (offset < end) {
        const off_t data = ::lseek(from, static_cast<off_t>(offset), SEEK_DATA);
        if (data < 0 && errno == ENXIO) return {};  // a hole up to the file's end
        if (data < 0 && errno == EINVAL) return copy_data(from, to, offset, end, ways, buffer);
        if (data < 0) return failed("looking for its holes");
        offset = static_cast<std::uint64_t>(data);
        if (offset >= end) return {};
        const off_t hole = ::lseek(from, data, SEEK_HOLE);
        if (hole < 0) return failed("looking for its holes");
        const std::uint64_t until = std::min(static_cast<std::uint64_t>(hole), end);
        MUSHER_DO(copy_data(from, to, offset, until, ways, buffer));
        offset = until;
    }
    return {};
}

std::uint64_t size_of(const struct stat& info) { return static_cast<std::uint64_t>(info.st_size); }
}  // namespace

bool is_sparse(const struct stat& info) { return info.st_blocks * 512 < info.st_size; }

Result<bool> clone_file(int from, int to, CopyWays& ways) {
    if (!ways.clone) return false;
    if (::ioctl(to, FICLONE, from) == 0) return true;
    if (errno == EINTR) return false;
    if (!another_way()) return failed("cloning it");
    ways.clone = false;
    return false;
}

Result<void> prepare_large(int from, int to, const struct stat& info) {
    ::posix_fadvise(from, 0, 0, POSIX_FADV_SEQUENTIAL);
    ::posix_fadvise(from, 0, 0, POSIX_FADV_NOREUSE);
    if (is_sparse(info)) {
        if (::ftruncate(to, info.st_size) != 0) return failed("writing its copy");
        return {};
    }
    if (::fallocate(to, 0, 0, info.st_size) == 0 || another_way()) return {};
    return failed("reserving space for its copy");
}

Result<void> copy_content(int from, int to, const struct stat& info, CopyWays& ways,
                          Slice& buffer) {
    if (is_sparse(info)) {
        if (::ftruncate(to, info.st_size) != 0) return failed("writing its copy");
        return copy_around_holes(from, to, 0, size_of(info), ways, buffer);
    }
    return copy_data(from, to, 0, size_of(info), ways, buffer);
}

Result<void> copy_range(int from, int to, const struct stat& info, std::uint64_t offset,
                        std::uint64_t size, CopyWays& ways, Slice& buffer) {
    if (is_sparse(info)) {
        MUSHER_DO(copy_around_holes(from, to, offset, offset + size, ways, buffer));
    } else {
        MUSHER_DO(copy_data(from, to, offset, offset + size, ways, buffer));
    }
    // The disk works while the next ranges are read.
    ::sync_file_range(to, static_cast<off_t>(offset), static_cast<off_t>(size),
                      SYNC_FILE_RANGE_WRITE);
    return {};
}

}  // namespace musher
