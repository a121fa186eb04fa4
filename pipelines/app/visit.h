// A visit: what a queue verb does while no musher runs.
#pragma once

#include "pipelines/app/client.h"
#include "pipelines/config/check.h"

namespace musher {

/// Answers as a running musher would: this process locks the state directory, is the reactor for
/// this one call, on the configuration's Redis or the private one, and claims nothing. Blocking,
/// on a loop of its own. `unavailable`: no musher has run here yet, one starts or hangs just now,
/// or Redis is away; nothing was touched then.
Result<Json> visit_queue(Configuration configuration, const ApiCall& call);

}  // namespace musher
