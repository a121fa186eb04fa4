// Owner, mode, times and extended attributes (ACLs among them) of a copy.
#pragma once

#include <sys/stat.h>

#include "reactor/base/error.h"

namespace musher {

/// Who this process creates files as.
struct Creator {
    uid_t uid = 0;
    gid_t gid = 0;
    mode_t umask = 0;

    /// Of this process, now.
    static Creator current();
    /// The mode that open(2) gives a file asked for with `mode`.
    mode_t given(mode_t mode) const { return mode & 0777 & ~umask; }
};

/// Makes `to` (just created by `creator`, with mode `has`) like `from`, whose stat is `info`. Adds
/// one to the answer for each owner or attribute that the target does not take: another's file
/// without the right to give it away, attributes that its file system does not know. Blocking: for
/// pool threads.
Result<unsigned> copy_attributes(int from, int to, const struct stat& info, const Creator& creator,
                                 mode_t has);
/// Owner and times of a symbolic link.
Result<unsigned> copy_link_attributes(int folder, const char* name, const struct stat& info,
                                      const Creator& creator);

}  // namespace musher
