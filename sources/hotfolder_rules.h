// HotfolderRules: the options of a hot folder, read once into what its parts work by.
#pragma once

#include <string>

#include "reactor/component/schema.h"
#include "reactor/drivers/atomic_file.h"
#include "sources/look.h"
#include "sources/scan.h"
#include "sources/settle_table.h"

namespace musher::hotfolder {

enum class WatchMode { automatic, inotify, poll };

/// What becomes of an original when its job has ended.
struct Farewell {
    enum class Way { move, remove, leave };
    Way way = Way::move;
    std::string folder;  // absolute; of `move`
};

struct HotfolderRules {
    std::string folder;  // absolute, without a slash at its end
    ScanRules scan;
    LookRules look;
    SettleRules settle;
    WatchMode watch = WatchMode::automatic;
    Duration poll = std::chrono::seconds(10);
    Duration rescan = std::chrono::seconds(60);
    Farewell done;
    std::string failed;  // absolute
    Collision collision = Collision::number;
    bool fail_unmatched = false;
    bool shared = false;
};

/// `usage` for a marker that cannot be, or options that contradict each other.
Result<HotfolderRules> read_rules(const Options& options);

/// What check says beyond the table: read_rules' errors.
Faults check_rules(const Options& options);

}  // namespace musher::hotfolder
