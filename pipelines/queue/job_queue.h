// JobQueue: the one interface over Redis and memory. One object per queue name.
//
// Every call is atomic on the server and idempotent under re-sending: a lost answer is an error
// (`unavailable`) and the caller may call again. Loop thread only; a Cancel ends the wait, not
// the effect.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pipelines/queue/job.h"
#include "reactor/base/limits.h"
#include "reactor/component/source.h"
#include "reactor/task/task.h"

namespace musher {

enum class PutCode { accepted, known_id, known_dedupe, full };
enum class BeatCode { held, gone, stolen, cancel };
enum class AckCode { acked, gone, stolen };

struct QueueOptions {
    std::size_t waiting = 0;              // over so many unfinished jobs: `full`; 0: no limit
    milliseconds lease = limits::kLease;  // silence after which a claim is lost
    Duration keep = std::chrono::hours(7 * 24);  // finished jobs are remembered so long, …
    std::size_t history = 100'000;        // … the newest of them; dead ones without `keep`
};

struct Ack {
    std::string id;
    std::string token;
    Json story;   // of this attempt; kept with the finished job, cut to 4 KiB
};
struct Beat {
    std::string id;
    std::string token;
    Json progress = nullptr;
};
struct Defeat {               // a failed attempt
    std::string id;
    std::string token;
    Error error;
    Json story;               // of this attempt; the queue appends it to the earlier ones
    bool retry = true;        // false: straight to the dead set
    bool spends_try = true;   // false: no fault of the job; such ends of one attempt in a row are
                              // told as one, the last
    milliseconds delay{0};    // before the next attempt
    JobState state = JobState::dead;  // when it does not go on: dead or cancelled
    std::string step = {};    // id of the step that failed
};
struct Reaped {
    std::size_t back = 0;       // jobs that wait again
    std::vector<JobRow> ended;  // buried by this call: cancelled while nobody held them
};
struct QueueStats {
    std::uint64_t waiting = 0, delayed = 0, running = 0, done = 0, dead = 0, cancelled = 0;
    std::int64_t oldest_ms = 0;   // age of the oldest waiting job
    std::int64_t next_due_ms = 0; // wall clock of the next delayed job; 0: none
    bool paused = false;
    Json counters = Json::object();  // since the queue was made: enqueued, claimed, done, …
};
struct Claimed {
    std::vector<Claim> claims;
    milliseconds next_due{0};  // from now until the next delayed job is due; 0: none
};
struct CycleIn {
    std::vector<Ack> acks;
    std::vector<Beat> beats;
    std::size_t claim = 0;
};
struct CycleOut {
    std::vector<AckCode> acks;
    std::vector<BeatCode> beats;
    Claimed claimed;
};
struct JobFilter {
    std::optional<JobState> state;
    std::string after;        // `next` of the page before
    std::size_t limit = 50;
};
struct JobPage {
    std::vector<JobRow> items;
    std::string next;         // empty: the last page
};

/// The server said neither yes nor no, or has no room just now: ask again.
inline bool is_unanswered(const Error& e) {
    return e.code == Errc::unavailable || e.code == Errc::full || e.code == Errc::timeout;
}

class JobQueue {
  public:
    virtual ~JobQueue() = default;
    virtual const std::string& name() const = 0;
    /// Before anything else; `corrupt` or `usage` for a server that does not fit.
    virtual Task<Result<void>> open(Cancel&) { co_return Result<void>(); }
    /// Known after open(): a restart of the server loses its newest jobs, against its promise.
    virtual bool forgetful() const { return false; }
    /// For calls to come; the lease stays.
    virtual void limit(const QueueOptions& options) = 0;
    virtual Task<void> leave(Cancel&) { co_return; }  // takes this process's sign of life away
    virtual Task<void> close() { co_return; }         // ends what is under way; then destroy it

    /// One code per job, in order. Durable by the connection's class when it returns. Jobs of
    /// on_failure are never `full`: a full queue is emptied by what they stand for.
    virtual Task<Result<std::vector<PutCode>>> put(std::vector<Job> jobs, Cancel& cancel) = 0;
    /// Acks, heartbeats and claims in one round trip: the steady state. Claims whose answer was
    /// lost come back with the next call that claims.
    virtual Task<Result<CycleOut>> cycle(CycleIn in, Cancel& cancel) = 0;
    /// `conflict` when the token no longer holds the job. True: it goes on (delayed); false: it
    /// is in the dead set (tries used up, or no retry).
    virtual Task<Result<bool>> fail(Defeat defeat, Cancel& cancel) = 0;
    /// Back to its place in ready, or delayed first, no try spent and nothing told: shutdown.
    /// `conflict` when somebody else holds it.
    virtual Task<Result<void>> release(std::string id, std::string token, milliseconds delay,
                                       Cancel& cancel) = 0;
    /// Stores a receipt; `conflict` when the token no longer holds the job.
    virtual Task<Result<void>> store_receipt(std::string id, std::string token, Receipt receipt,
                                             Cancel& cancel) = 0;
    /// Jobs whose lease ran out go back to ready, and their next Claim says how often that was.
    /// Also forgets what is older than `keep`. Bounded work per call.
    virtual Task<Result<Reaped>> reap(Cancel& cancel) = 0;

    virtual Task<Result<std::vector<Presence>>> find(std::vector<std::string> ids,
                                                     Cancel& cancel) = 0;
    virtual Task<Result<JobRow>> show(std::string id, Cancel& cancel) = 0;  // `not_found`
    /// Waiting ones in the order they will run, finished ones newest first.
    virtual Task<Result<JobPage>> list(JobFilter filter, Cancel& cancel) = 0;
    virtual Task<Result<QueueStats>> stats(Cancel& cancel) = 0;
    /// Waiting or delayed: buried as cancelled now. Running: its holder hears it at the next beat.
    /// The state after the call; `not_found`.
    virtual Task<Result<JobState>> cancel_job(std::string id, Cancel& cancel) = 0;
    /// A dead or cancelled job is accepted anew, to run at once, with its receipts and all its
    /// tries; `conflict` when its dedupe value is taken or it is not dead.
    virtual Task<Result<void>> replay(std::string id, Cancel& cancel) = 0;
    /// A delayed job becomes due now; `conflict` when it runs or has ended.
    virtual Task<Result<void>> hasten(std::string id, Cancel& cancel) = 0;
    virtual Task<Result<void>> set_paused(bool paused, Cancel& cancel) = 0;
    /// Forgets finished (done, dead, cancelled) jobs; returns how many.
    virtual Task<Result<std::size_t>> purge(JobState state, Cancel& cancel) = 0;
    /// First half of a release: a waiting or delayed job becomes cancelled, its story ends with
    /// `released`, and nobody runs it any more. The state after the call; `not_found`.
    virtual Task<Result<JobState>> withdraw(std::string id, Cancel& cancel) = 0;
    /// Its second half: forgets one dead or cancelled job. An unknown one is forgotten already;
    /// `conflict` for any other.
    virtual Task<Result<void>> forget(std::string id, Cancel& cancel) = 0;
};

}  // namespace musher
