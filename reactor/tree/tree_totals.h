// What was found or done in a tree so far.
#pragma once

#include <atomic>
#include <cstdint>

namespace musher {

struct TreeTotals {
    std::uint64_t files = 0;      // regular ones; each name of a hard link counts
    std::uint64_t folders = 0;    // without the root
    std::uint64_t links = 0;      // symbolic
    std::uint64_t bytes = 0;      // content, holes included; of hard links once
    std::uint64_t allocated = 0;  // bytes on disk, where they were measured
    std::uint64_t skipped = 0;    // sockets, pipes, devices
    std::uint64_t unkept = 0;     // owners and attributes that the target did not take
};

/// The same while several threads count.
struct TreeCounters {
    std::atomic<std::uint64_t> files = 0, folders = 0, links = 0, bytes = 0, allocated = 0,
                               skipped = 0, unkept = 0;
    TreeTotals now() const { return {files, folders, links, bytes, allocated, skipped, unkept}; }
};

}  // namespace musher
