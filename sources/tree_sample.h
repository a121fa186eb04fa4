// A folder that is one job: all of it seen as one sample.
#pragma once

#include "reactor/base/fd.h"
#include "sources/file_sample.h"
#include "sources/lease_probe.h"

namespace musher::hotfolder {

struct TreeLook {
    FileSample sample;  // see FileSample: sizes are summed, ctime_ns is a fingerprint
    LeaseAnswer leases = LeaseAnswer::held;  // the worst of all files; held when not asked
    int error = 0;                           // errno of what could not be read
};
/// Walks everything below `top` without following symlinks; `prove` asks each file for its
/// writers. What vanishes meanwhile shows in the next fingerprint. Pool threads, heavy.
TreeLook look_at_tree(const Fd& top, bool prove);

}  // namespace musher::hotfolder
