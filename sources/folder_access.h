// What a file system can do for a watcher, and how to reach its folders without being led astray.
#pragma once

#include <string>
#include <string_view>

#include "reactor/base/fd.h"

namespace musher::hotfolder {

struct FsTraits {
    std::string_view name = "local";
    bool events = true;         // inotify tells of every writer
    bool leases = true;         // a read lease tells of every writer
    bool stable_inodes = true;  // inode numbers outlive a mount
};
/// By statfs(2)'s f_type: network and user space file systems tell of this host's writers only.
FsTraits traits_of(unsigned long type);
Result<FsTraits> traits_of(const Fd& folder);

/// Opens a folder below `root` ("" is root itself). No symlink on the way is followed: whoever may
/// write into the hot folder must not make musher move files elsewhere. Not open: errno says why,
/// ENOENT also when it was replaced by a symlink or is no folder.
Fd open_beneath(const Fd& root, const std::string& subfolder);

/// Makes and opens a folder below `root`, every missing part of it. As open_beneath.
Fd make_beneath(const Fd& root, const std::string& subfolder, mode_t mode);

/// `/proc/self/fd/N`: a path that leads to exactly this folder, whatever happens to its names.
std::string path_of(const Fd& folder);

}  // namespace musher::hotfolder
