// One element of `status --json`'s pipelines.
#pragma once

#include "pipelines/queue/job_queue.h"

namespace musher {

/// `ended`: done and dead since the queue was made, also those that are forgotten. Revision 0 and
/// not held, unless the caller says otherwise; `problem` is null when empty.
Json pipeline_row(const std::string& name, const std::string& state, Json source,
                  const QueueStats& counts, const std::string& problem);

}  // namespace musher
