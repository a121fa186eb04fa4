// Reactor: all pipelines of one process, over one queue connection. What the daemon runs and the
// control API asks.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "pipelines/config/check.h"
#include "pipelines/queue/job_queue.h"
#include "reactor/component/source.h"
#include "reactor/loop/loop.h"

namespace musher {

class EventRing;
struct Measures;

struct NamedQueue {
    std::string name;  // of its pipeline, which may be gone (see orphans.h)
    std::shared_ptr<JobQueue> queue;
};

/// Loop thread only.
class Reactor {
  public:
    Reactor(Loop& loop, Configuration configuration);
    ~Reactor();

    struct Hooks {
        std::function<void()> ready;          // all sources were started
        std::function<Task<void>()> leaving;  // all work has ended; what people ask about is there
        /// musher.yml was edited: daemon() says how.
        std::function<void(const DaemonConfig& before)> settings;
    };
    /// Locks the state directory, starts the embedded Redis where there is one, then every
    /// pipeline, and follows edits of the configuration's files. Returns after `stop` when
    /// everything has ended cleanly, or the error that kept it from starting.
    Task<Result<void>> run(Cancel& stop, Hooks hooks);
    /// Reads the configuration anew, with all that it includes. Cheap.
    void reload();
    /// Instead of run(), for a verb while no reactor runs: locks the state directory, starts the
    /// embedded Redis where there is one, opens every queue, calls `work` and ends all that. No
    /// pipeline runs, so nothing is claimed, but all calls below work on what is there.
    /// `not_found`: no reactor has run in this state directory yet; nothing was touched.
    /// `conflict`: one runs, or starts.
    Task<Result<void>> visit(std::function<Task<void>()> work, Cancel& cancel);

    /// The contract's `status --json`; asks every queue for its counts.
    Task<Result<Json>> status(Cancel& cancel);
    std::vector<TaskRow> tasks() const;
    /// {path, state, reason, since, next_check_ms, detail}: files still in a folder, or jobs.
    Task<Result<Json>> why(std::string path, Cancel& cancel);
    /// The queue of a pipeline (`not_found` with the nearest name otherwise); of all for "".
    Task<Result<std::vector<NamedQueue>>> queues(std::string pipeline, Cancel& cancel);
    /// The contract's Job with its story. `body.path` of one that ended is where its original lies
    /// now; null when it is gone or nobody knows.
    Task<Result<Json>> job(std::string id, Cancel& cancel);
    /// Pauses in the queue's meta: all reactors on it stop claiming; sources stop too.
    Task<Result<void>> set_paused(std::string pipeline, bool paused, Cancel& cancel);
    /// An event by hand; returns {id}. `file` (absolute, may be empty) is the body and stays
    /// where it is. `dry_run`: {key, when, steps: [{id, kind, options}]} rendered, nothing done.
    Task<Result<Json>> emit(std::string pipeline, std::string file, Json facts, bool dry_run,
                            Cancel& cancel);
    /// Cancels a job; what ended by it is settled (its original goes to failed/). The state then.
    Task<Result<JobState>> cancel_job(std::string id, Cancel& cancel);
    /// A dead job runs again; its original comes back from failed/ first. `conflict` for one whose
    /// pipeline is gone.
    Task<Result<void>> replay_job(std::string id, Cancel& cancel);
    /// A delayed job becomes due now.
    Task<Result<void>> hasten_job(std::string id, Cancel& cancel);
    /// Puts the files of waiting jobs back where they were dropped and forgets the jobs:
    /// {pipeline, released, kept}. Of a paused pipeline (`conflict` else), or of one whose file is
    /// gone and whose queue is still there.
    Task<Result<Json>> release(std::string pipeline, Cancel& cancel);
    /// Puts an earlier text into the pipeline's file, which is then read like any edit: revision
    /// `number`, or for 0 the one that runs when the file holds another text, else the one before.
    /// {pipeline, file, revision}
    Task<Result<Json>> rollback(std::string pipeline, int number);
    /// A setting that hooks.settings takes over works now, or why it does not: `status` and
    /// /health name those.
    void applied(const std::string& setting, const std::string& trouble);
    /// What is wrong, as the API's /health tells it; asks nobody. A connection that is down is
    /// tried again, for the next one who asks.
    Json health();
    /// What /metrics shows. Asks the queues at most once a second.
    Task<Measures> measures(Cancel& cancel);
    /// What happens from now on.
    EventRing& events();
    /// `not_found` with the nearest name unless a pipeline of that name runs.
    Result<void> check_pipeline(const std::string& name) const;
    const DaemonConfig& daemon() const;
    std::size_t pipelines() const;

  private:
    struct State;  // reactor_state.h
    std::unique_ptr<State> state_;
};

}  // namespace musher
