// From a finished job's record to what its source is told.
#pragma once

#include "pipelines/queue/job_queue.h"

namespace musher {

/// `row.state` is done, dead or cancelled. The report {error, job, story} is what lies beside a
/// failed original.
Settlement settlement_of(JobRow row);

/// Withdrawn from its queue (JobQueue::withdraw): its original goes back, not to failed/.
bool is_released(const JobRow& row);

/// The id of the job that runs the on_failure steps of a dead job.
std::string on_failure_id(const std::string& job);

/// What a source may do with the originals of these jobs. A dead job whose on_failure job has not
/// ended is `live` still: that one works with the original where it lies.
Task<Result<std::vector<Presence>>> find_originals(JobQueue& queue, std::vector<std::string> ids,
                                                   Cancel& cancel);

}  // namespace musher
