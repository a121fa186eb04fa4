// Opens the file that a job works on, where others may write to its folder.
#pragma once

#include <cstdint>

#include "reactor/base/fd.h"
#include "reactor/base/json.h"

namespace musher {

/// Which file a path named when its event was admitted; zeros where nobody knows. A device has
/// another number after another mount, so what shall hold for longer knows the inode only.
struct FileIdentity {
    std::uint64_t dev = 0;
    std::uint64_t ino = 0;
};

/// The `dev` and `ino` of an event's facts.
FileIdentity identity_of(const Json& facts);

/// Opens a regular file to read, and never waits for a pipe's writer. `conflict` when the path has
/// become a link, no regular file, or another file than `expected`: who may write to the folder
/// shall not choose what musher, with its own rights, reads. `not_found` and others from open(2).
/// Blocking: for pool threads.
Result<Fd> open_body(const std::string& path, const FileIdentity& expected = {});

}  // namespace musher
