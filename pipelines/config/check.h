// Reads and checks configuration: every fault of every file in one pass.
#pragma once

#include <string>
#include <vector>

#include "pipelines/config/daemon_file.h"
#include "pipelines/config/pipeline_file.h"

namespace musher {

/// Everything `run` needs, or the problems that forbid it. Nothing outside is touched: `check
/// --live` probes later, on the loop.
struct Configuration {
    DaemonConfig daemon;
    std::vector<PipelineConfig> pipelines;   // only those without errors
    std::vector<Problem> problems;
    bool ok() const;                         // no problem of severity error
};

/// `file`: a musher.yml. An unreadable file is a Problem like any other.
Configuration read_configuration(const std::string& file);
/// Pipeline files or directories on their own (`musher check PATH…`): connections unknown to
/// them are not reported.
Configuration read_pipelines(const std::vector<std::string>& paths);
/// One pipeline file against an already read musher.yml, for live edits.
std::optional<PipelineConfig> read_pipeline(const std::string& file, const DaemonConfig& daemon,
                                            std::vector<Problem>& problems);

}  // namespace musher
