// How a verb gets its answer: from a running musher, or from the queue itself.
#pragma once

#include "pipelines/app/client.h"
#include "pipelines/app/verb.h"

namespace musher {

/// The state directory of the configuration.
Result<std::string> state_folder(const Call& call);
/// From the musher that runs on the configuration's state directory.
Result<Json> ask_musher(const Call& call, const ApiCall& api);
/// The same; when none runs, from Redis itself (see visit.h).
Result<Json> ask_queue(const Call& call, const ApiCall& api);

}  // namespace musher
