// `musher run`: one process from configuration to clean stop.
#pragma once

#include <string>

namespace musher {

/// Returns the exit code. Configuration problems go to stderr and nothing is touched then.
int run_daemon(const std::string& config_file);

}  // namespace musher
