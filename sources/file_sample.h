// FileSample: what one look at a file or folder told; two of them say whether it changed.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>

namespace musher::hotfolder {

/// Times are the file's own and are only ever compared with another sample of the same file: a
/// server's clock, `cp -p` and `touch` make them say anything.
struct FileSample {
    std::uint64_t dev = 0;
    std::uint64_t ino = 0;
    std::uint64_t size = 0;     // folders: of all files below
    std::int64_t mtime_ns = 0;  // folders: the newest below
    std::int64_t ctime_ns = 0;  // folders: a fingerprint of every entry below
    std::uint32_t uid = 0;

    bool operator==(const FileSample&) const = default;
    bool same_inode(const FileSample& other) const { return dev == other.dev && ino == other.ino; }
};

FileSample sample_of(const struct stat& status);

/// The id of a file that stays where it is (claim: none): the same file gives the same id after a
/// restart. The device number is left out, NFS, btrfs and overlays renumber it at every mount;
/// `stable_inodes` is false where inode numbers do not live longer than a mount either.
std::string standing_id(const std::string& path, const FileSample& sample, bool stable_inodes);

}  // namespace musher::hotfolder
