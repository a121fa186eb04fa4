// Moving and copying files; the fsyncs of a batch of moves are shared.
#pragma once

#include <string>
#include <vector>

#include "reactor/drivers/atomic_file.h"

namespace musher {

struct Move {
    std::string from;
    std::string to;                 // full path; its folder is created when it is missing
    Collision collision = Collision::number;
};

/// `later`: a power failure may undo the renames; for a caller who would find out and do them
/// again.
enum class Sync { now, later };

/// Renames each; across filesystems it copies durably, then unlinks. `now`: one fsync per target
/// folder of the batch. Each answer is the final path. `not_found`: `from` is gone (nothing was
/// changed). Blocking: for pool threads.
std::vector<Result<std::string>> move_files(const std::vector<Move>& moves, Sync sync = Sync::now);

/// Copies the bytes (reflink, copy_file_range, then read and write); returns how many.
Result<std::uint64_t> copy_bytes(const Fd& from, const Fd& to);

}  // namespace musher
