// An event, and the ticket that says what became of it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "reactor/base/shared_json.h"

namespace musher {

/// What happened, immutable once admitted. `facts` holds the kind's own fields (event.path, …).
struct Event {
    std::string id;      // UUID; the job carries the same
    std::string source;  // the pipeline's name
    std::string kind;    // hotfolder, timer, emit, …
    std::string key;     // set by Intake from `key:`
    std::int64_t time_ms = 0;  // wall clock at admission
    std::string date;          // of admission, in `timezone`; the same on every attempt
    SharedJson facts;
    std::string file;          // the job's body, as raw bytes: an absolute path; empty: none
    int hops = 0;              // how often musher's own output came back as input

    /// The contract's shape: {id, source, kind, key, time, facts}; `date` rides in facts.
    Json to_json() const;
    /// What expressions see as `event`: facts plus id, source, key, time, date.
    Json view() const;
};

/// `released`: nobody ran it, and its original goes back to where it came from.
enum class Outcome { done, failed, dead, cancelled, released };
std::string_view outcome_name(Outcome outcome);

/// The end of one event, for its source: moves the original, answers the row, …
struct Settlement {
    Event event;
    Outcome outcome = Outcome::done;
    Error error;   // unless done
    Json report;   // for a failed original: {error, job, story}
};

/// How an event came through admission: as a durable job, not at all because `when` is false, or
/// as one that `dedupe` knows already.
enum class Admission { stored, unwanted, duplicate };

/// Travels with an event from its source to admission. Exactly one of the two is called, on the
/// loop thread, before the Ticket is destroyed.
class Ticket {
  public:
    virtual ~Ticket() = default;
    /// The job is durable, or the event needs none: then it will never be settled.
    virtual void accepted(Admission admission) = 0;
    /// Nothing was stored; the source keeps the event and tries again later.
    virtual void rejected(const Error& error) = 0;
};

struct Delivery {
    Event event;
    std::string dedupe;  // empty: none; Intake may replace it by `dedupe:`
    std::unique_ptr<Ticket> ticket;
    /// What came is no sound event: nothing of it is evaluated, its job fails at once with this.
    std::optional<Error> fault = std::nullopt;
};

}  // namespace musher
