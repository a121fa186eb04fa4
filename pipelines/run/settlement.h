// From a finished job's record to what its source is told.
#pragma once

#include "pipelines/queue/job.h"

namespace musher {

/// `row.state` is done, dead or cancelled. The report is what lies beside a failed original:
/// {error, job, story}.
Settlement settlement_of(JobRow row);

/// Withdrawn from its queue (JobQueue::withdraw): its original goes back, not to failed/.
bool is_released(const JobRow& row);

}  // namespace musher
