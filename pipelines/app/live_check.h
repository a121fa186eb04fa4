// `check --live`: what the configuration names is tried out.
#pragma once

#include "pipelines/config/check.h"

namespace musher {

/// Adds what does not work to `read.problems`: the queue's Redis, each source's own probe, the
/// folders that are written, the connections that steps use and what steps ask of them. Nothing is
/// sent and nothing stays, also after kill -9 (a hot folder's probe: until musher starts).
/// Blocking, on a loop of its own; works beside a running musher.
void check_live(Configuration& read);

}  // namespace musher
