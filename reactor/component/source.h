// Source: what turns the outside world into events.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "reactor/component/connections.h"
#include "reactor/component/event.h"
#include "reactor/component/schema.h"
#include "reactor/loop/loop.h"
#include "reactor/task/channel.h"

namespace musher {

/// What the queue knows of a job id; sources ask it at recovery.
enum class Presence { unknown, live, done, dead };

class Ledger {
  public:
    virtual ~Ledger() = default;
    /// One answer per id, in their order.
    virtual Task<Result<std::vector<Presence>>> find(std::vector<std::string> ids,
                                                     Cancel& cancel) = 0;
    /// The settlement of a finished id (its report for `dead`), to finish a move after a crash.
    virtual Task<Result<Settlement>> settlement(std::string id, Cancel& cancel) = 0;
};

/// Everything a source may touch. Outlives the source.
struct SourceContext {
    Loop& loop;
    std::string pipeline;
    std::string folder;      // of the pipeline file: relative paths start here
    Channel<Delivery>& out;  // a full channel is back-pressure: wait, keep the rest
    Ledger& ledger;
    const Connections& connections;
    std::string node;              // this reactor's UUID
    std::string state = {};        // its state directory; empty: nothing is kept
    std::string timezone = "UTC";  // musher.yml's
};

/// Somebody paused the pipeline, or limits.waiting jobs are in its queue.
enum class PauseReason { ordered, queue_full };

/// The answer to `musher why PATH`; empty state means "not mine".
struct Why {
    std::string state;   // waiting, taken, done, dead, ignored, gone
    std::string reason;  // the contract's list
    std::string job;     // taken: whose state says the rest
    std::int64_t since_ms = 0;
    std::int64_t next_check_ms = 0;
    std::string detail;
};

/// Loop thread only. Built by a catalogue's factory, which touches nothing outside.
class Source {
  public:
    virtual ~Source() = default;
    /// Works until `stop`; returns `cancelled` then. A fault that passes by itself (a folder not
    /// mounted, a server down) is shown in status() and retried inside, not returned.
    virtual Task<Result<void>> run(Cancel& stop) = 0;
    /// No new events after pause() returns, and what they are made of stays where it is; what is
    /// in `out` already still goes. Both idempotent; a second pause() changes the reason.
    virtual void pause(PauseReason why) = 0;
    virtual void resume() = 0;
    /// Finishes events whose jobs ended, each for itself; idempotent. What is finished is taken
    /// out of `ended`; on error the rest is left in it, to be tried again. Nothing is lost:
    /// recovery at the next start finishes it, too.
    virtual Task<Result<void>> settle(std::vector<Settlement>& ended, Cancel& cancel) = 0;
    /// A dead job is about to be replayed: undoes what settle() did (the original comes back from
    /// failed/ to `event.file`). `not_found` when it is no longer there. Idempotent.
    virtual Task<Result<void>> recall(Event event, Cancel& cancel);
    /// Where the original of an event whose job ended so lies now; empty: gone, or nobody knows.
    virtual Task<std::string> whereabouts(Event event, Outcome outcome);
    /// The queue's server was away: it may have forgotten what it had accepted. A source that can
    /// bring such events again holds them against the Ledger.
    virtual void recheck() {}
    /// It will not run again: run() has returned and all that it sent has its answer. What it holds
    /// and what became no job goes back to where it was found. On error, and after kill -9, a later
    /// source of the same place recovers the rest.
    virtual Task<Result<void>> retire(Cancel& cancel);
    /// {"ok": bool, "detail": text, …} for `status`.
    virtual Json status() const = 0;
    virtual Task<Why> why(std::string path, Cancel& cancel);
    /// Real effects on a probe (create, rename, lease, connect) for `check --live`.
    virtual Task<std::vector<Problem>> probe(Cancel& cancel) = 0;
};

using SourceFactory =
    std::function<Result<std::unique_ptr<Source>>(const Options&, const SourceContext&)>;
struct SourceEntry {
    const Spec& spec;
    SourceFactory make;
    /// Its events name files that only this host has, so only this host may run their jobs;
    /// an option `shared: true` says that every host has them.
    bool local_files = false;
    /// Puts the originals of released jobs back without a source, for pipelines whose file is gone;
    /// null: its events cannot be put back. What is no longer there counts as put back. Blocking.
    Result<void> (*put_back)(const std::vector<Settlement>& released) = nullptr;
    /// Remembers by itself what it has given out until it is settled, and gives it out again after
    /// a crash: its pipeline may go `via: direct`.
    bool remembers = false;
    /// SQL that lets `table`, whose rows `key` names, feed it (`describe --sql`); null: none can.
    Result<std::string> (*sql)(const std::string& table, const std::string& key) = nullptr;
};

}  // namespace musher
