// `musher check`: which configured paths its user may not use, without touching them.
#pragma once

#include "pipelines/config/check.h"

namespace musher {

/// Adds a warning for each path that is there, and that the user of this process may not read,
/// rename in or write. Paths that are missing are left to `check --live` and to `run`; so are all
/// folders unless `folders`.
void check_access(Configuration& read, bool folders);

}  // namespace musher
