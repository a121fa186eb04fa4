// Reads and checks configuration: every fault of every file in one pass.
#pragma once

#include <string>
#include <vector>

#include "pipelines/config/catalogue.h"
#include "pipelines/config/daemon_file.h"
#include "pipelines/config/pipeline_file.h"
#include "pipelines/config/yaml.h"

namespace musher {

/// Everything `run` needs, or the problems that forbid it. Nothing outside is touched: `check
/// --live` probes later, on the loop.
struct Configuration {
    DaemonConfig daemon;
    std::vector<PipelineConfig> pipelines;  // only those without errors, by file
    std::vector<Problem> problems;          // by file, line and column
    bool ok() const;                        // no problem of severity error
};

/// `file`: a musher.yml; its pipelines are read too. An unreadable file is a Problem like any
/// other. Problems name files as `file` and `pipelines:` do, relative to the working directory.
Configuration read_configuration(const std::string& file,
                                 const Catalogue& catalogue = full_catalogue());
/// The same, each file for itself: check_together() is left to the caller.
Configuration read_each(const std::string& file, const Catalogue& catalogue = full_catalogue());
/// Pipeline files, directories of them, and musher.yml files (`musher check PATH…`). Without a
/// musher.yml, among them or as `daemon_file` (whose own pipelines are then not read), its
/// connections, env and vars are not judged.
Configuration read_pipelines(const std::vector<std::string>& paths,
                             const Catalogue& catalogue = full_catalogue(),
                             const std::string& daemon_file = {},
                             Secrets secrets = Secrets::read);
/// What only shows when all pipelines are looked at together: names that are taken twice, files
/// that go in circles, folders that two of them watch, golden files that are not a test's own.
void check_together(const std::vector<PipelineConfig>& pipelines, std::vector<Problem>& problems);

/// *.yml and *.yaml in a directory, by name, without what editors leave there; a file itself.
/// What cannot be listed is a Problem at `at`.
std::vector<std::string> list_pipeline_files(const std::string& path, const Position& at,
                                             std::vector<Problem>& problems);

}  // namespace musher
