// ReceiptBook: the receipts of one job, from earlier attempts and of this one.
#pragma once

#include <map>
#include <string>

#include "pipelines/queue/job_queue.h"
#include "reactor/loop/loop.h"

namespace musher {

/// A receipt's `step` is the place of what it proves: a step's id, `each[6].copy` inside the
/// seventh round of a for_each. Beside those of sinks there are notes, which have the field `flow`:
/// what a control step has decided (`route`, sink: switch), and rounds that have ended (`each[6]`).
/// Loop thread only.
class ReceiptBook {
  public:
    /// `over`: the grace period of a stop has ended.
    ReceiptBook(Loop& loop, JobQueue& queue, const Claim& claim, Cancel& over);

    /// A sink's, of an earlier attempt; null when there is none.
    const Json* find(const std::string& place) const;
    /// The `flow` of a note that a control step of this kind left in an earlier attempt.
    const Json* note(const std::string& place, std::string_view kind) const;
    /// Those of sinks in places that begin so, in their order.
    Json below(const std::string& prefix) const;
    /// `usage` when the job may have no more of them; asked before what would need one more.
    Result<void> room() const;
    /// Waits for a queue that is away, as long as the job is ours to run and until `cancel`.
    Task<Result<void>> store(Receipt receipt, Cancel& cancel);
    /// For what has happened: no time-out ends it, and a stop limits::kLastReceipt after its grace
    /// period. Otherwise it would happen again.
    Cancel& last() { return last_; }

  private:
    Loop& loop_;
    JobQueue& queue_;
    const Claim& claim_;
    std::map<std::string, const Json*> sinks_;
    std::map<std::string, const Json*> notes_;
    std::size_t bytes_ = 0;
    Cancel last_;
    Timers::Alarm alarm_;
    CancelHook over_;
};

/// A receipt without a sink.
Receipt flow_note(const Clock& clock, std::string place, std::string kind, std::string target,
                  Json flow);

}  // namespace musher
