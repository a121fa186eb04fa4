// Premises: an opened hot folder, with its work folder and the lock on it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "reactor/base/fd.h"
#include "sources/file_sample.h"
#include "sources/folder_access.h"

namespace musher::hotfolder {

/// Immutable while it lives; shared with pool threads. Dropping the last one gives the lock back.
struct Premises {
    std::string folder;     // absolute, as configured
    std::string work_path;  // absolute; empty where claims are made in place
    Fd root;
    Fd work;
    Fd lock;
    FsTraits traits;
    FileSample identity;  // of root
    /// Done and failed where they lie inside by any spelling, relative to the folder.
    std::vector<std::string> asides;
};

struct PremisesWish {
    std::string folder;
    std::string pipeline;
    std::vector<std::string> asides;  // done and failed, absolute
    std::string node;                 // written into the lock, for whoever finds it taken
    bool shared = false;              // a work folder per node
    bool trees = false;               // whole folders are taken, which no move takes to a mount
    bool in_place = false;            // claim: none; a folder that may not be written is fine then
};

/// Pool threads. `not_found` or `denied` naming the folder; `conflict` when another musher works
/// on it; `usage` as check_asides(). The folder is never created: it may be a mount point waiting
/// for its mount.
Result<std::shared_ptr<const Premises>> open_premises(const PremisesWish& wish);

/// `usage` when a symlink makes done or failed the folder itself, which is `folder`, or when whole
/// folders would have to go to another mount. Pool threads.
Result<void> check_asides(const PremisesWish& wish, const Fd& folder);

/// False when the path leads elsewhere by now: unmounted, mounted over, renamed. Pool
/// threads.
bool still_there(const Premises& premises);
/// The same by what the kernel has in memory, without a wait for a disk or a server; any thread.
/// False: it would have to look, ask still_there().
bool known_there(const Premises& premises);

}  // namespace musher::hotfolder
