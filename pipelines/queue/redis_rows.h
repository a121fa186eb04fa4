// What the scripts answer, turned back into jobs and rows.
#pragma once

#include "pipelines/queue/job_queue.h"
#include "reactor/drivers/redis_reply.h"

namespace musher {

/// A value of `p`: a packed head for the scripts, then the job as Job::encode wrote it.
Result<Job> read_stored_job(std::string id, const std::string& queue, std::string_view value);

/// A row of rows.lua. A job that cannot be decoded still has id, queue, state, error and story.
Result<JobRow> read_row(const RedisReply& row, const std::string& queue);

/// The reply of stats.lua.
Result<QueueStats> read_stats(const RedisReply& reply);

}  // namespace musher
