// The bytes of one file, by the cheapest way that both file systems know.
#pragma once

#include <sys/stat.h>

#include <atomic>

#include "reactor/base/bytes.h"
#include "reactor/base/error.h"

namespace musher {

/// What this copy has learnt about its file systems; shared by all of its threads.
struct CopyWays {
    std::atomic<bool> clone = true;   // FICLONE: both files share their blocks
    std::atomic<bool> kernel = true;  // copy_file_range
};

/// From here on a file is cut into ranges, which several threads copy. Ranges half as long were
/// read 15 % slower.
inline constexpr std::uint64_t kLargeFile = 64 << 20;
inline constexpr std::uint64_t kFileRange = 32 << 20;

/// True: `to` is a clone of `from`, and there is nothing left to copy. Not cloned, `to` is empty.
Result<bool> clone_file(int from, int to, CopyWays& ways);

/// Reserves the space, so that a full disk is noticed before the bytes are moved, and tells the
/// kernel that each byte of `from` is read once.
Result<void> prepare_large(int from, int to, const struct stat& info);

/// All of a file that is not large. `conflict` when there is less than `info` says.
Result<void> copy_content(int from, int to, const struct stat& info, CopyWays& ways, Slice& buffer);

/// One range of a large file; starts writing it to disk. As above.
Result<void> copy_range(int from, int to, const struct stat& info, std::uint64_t offset,
                        std::uint64_t size, CopyWays& ways, Slice& buffer);

/// Whether the file has holes.
bool is_sparse(const struct stat& info);

}  // namespace musher
