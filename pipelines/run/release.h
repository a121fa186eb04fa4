// Release: jobs that wait go back to where their events came from.
#pragma once

#include <functional>

#include "pipelines/queue/job_queue.h"

namespace musher {

struct Released {
    std::size_t released = 0;  // jobs that are no more; their files lie where they were dropped
    std::size_t kept = 0;      // waiting jobs whose events cannot be put back
};

Json to_json(const std::string& pipeline, const Released& told);

/// Tells a source of released events; on disk when it returns.
using PutBack = std::function<Task<Result<void>>(std::vector<Settlement> released)>;

/// Releases what waits or is delayed in `queue`, which is paused or which nobody claims from.
/// An error leaves the rest as it was, and what was begun is finished by the next call.
///
/// Three durable steps per page of jobs. kill -9
///   before 1, withdrawn from the queue: nothing has happened;
///   before 2, the file is back: the queue knows the job as released. The source's recovery at the
///     next start puts the file back then; without a source (the pipeline's file is gone) the next
///     release does, which begins with these;
///   before 3, forgotten by the queue: the file is dropped anew and gets a job of its own, with
///     another id. The record is a line of the history, until the next release or its time.
/// So nobody runs a job whose file was put back, and no file is left that nobody knows.
Task<Result<Released>> release_waiting(JobQueue& queue, PutBack put_back, Cancel& cancel);

/// Tells `source` that what waits or is delayed in `queue` was released. For a queue that ends now
/// and whose source remembers: nothing is withdrawn.
Task<Result<void>> give_back_waiting(JobQueue& queue, Source& source, Cancel& cancel);

/// For a pipeline whose file is gone: each kind of event by its source's SourceEntry::put_back.
Task<Result<void>> put_back_orphans(Loop& loop, std::vector<Settlement> released);

}  // namespace musher
