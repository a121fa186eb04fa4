// Owner, mode, times and extended attributes (ACLs among them) of a copy.
#pragma once

#include <sys/stat.h>

#include "reactor/base/error.h"

namespace musher {

/// Who this process creates files as.
struct Creator {
    uid_t uid = 0;
    gid_t gid = 0;
    mode_t umask = kUnknown;

    static constexpr mode_t kUnknown = ~mode_t{0};

    /// Of this process, now.
    static Creator current();
    /// What open(2) is asked for a copy of a file with `mode`: its attributes are set before the
    /// mode, and take the right to write.
    static mode_t asked(mode_t mode) { return (mode & 0777) | S_IWUSR; }
    /// The mode that it gives then; none where that is not known, so that each mode is set.
    mode_t given(mode_t mode) const { return umask == kUnknown ? umask : asked(mode) & ~umask; }
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
