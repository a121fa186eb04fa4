// `musher run`: one process from configuration to clean stop.
#pragma once

#include "pipelines/config/check.h"

namespace musher {

/// Until SIGTERM or SIGINT, or the error that kept it from starting; `configuration` has none.
Result<void> run_daemon(Configuration configuration);

}  // namespace musher
