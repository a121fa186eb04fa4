// What the system says of this process: the process_… metrics.
#pragma once

#include <cstdint>

namespace musher {

struct ProcessStats {
    double cpu_seconds = 0;
    double start_seconds = 0;  // since 1970, of the process
    std::uint64_t resident_bytes = 0;
    std::uint64_t virtual_bytes = 0;
    std::uint64_t open_fds = 0;
    std::uint64_t most_fds = 0;
};

/// Zero for what the system does not say. Blocking: pool threads.
ProcessStats process_stats();

}  // namespace musher
