// Edits: what of a configuration that was edited may run, beside what runs.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "pipelines/config/check.h"

namespace musher {

/// What runs, or may run.
struct Edits {
    struct One {
        PipelineConfig config;
        bool edited = false;  // else it is as it runs
    };
    DaemonConfig daemon;
    bool daemon_sound = false;  // else musher.yml is at fault, and all stays as it is
    std::vector<One> pipelines;
    std::map<std::string, Problem> refused;  // by file as shown: its first error
};

/// Reads the configuration and holds it against `running`: a file at fault, also only together with
/// the others, keeps the pipeline that it had; one that is gone takes its pipeline with it.
/// Blocking: pool threads.
Edits read_edits(const std::string& file, const std::vector<PipelineConfig>& running);

/// Tells two states of all files apart, and whether somebody is writing into one of them just now.
/// Blocking: pool threads.
struct ConfigSample {
    // path, device, inode, size, mtime and ctime in ns
    using Row = std::tuple<std::string, std::uint64_t, std::uint64_t, std::int64_t, std::int64_t,
                           std::int64_t>;
    std::vector<Row> rows;
    bool writers = false;
};
ConfigSample sample_config(const DaemonConfig& daemon);

/// True when nothing of the source would change, nor of the connections that it names.
bool same_source(const PipelineConfig& a, const PipelineConfig& b);

}  // namespace musher
