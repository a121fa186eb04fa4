// Intake: admits a source's events: when, key, dedupe → Job → queue → ticket.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pipelines/queue/job_queue.h"
#include "pipelines/run/program.h"
#include "pipelines/run/surroundings.h"
#include "pipelines/run/tally.h"
#include "reactor/task/channel.h"

namespace musher {

/// One per pipeline. A ticket is accepted only after the queue said so. Loop thread only.
class Intake {
  public:
    struct Listener {
        std::function<void()> on_put;   // jobs were stored
        std::function<void()> on_full;  // queue_full() changed
    };
    /// `program` is read anew for each batch.
    Intake(const Surroundings& around, const std::shared_ptr<const Program>& program,
           JobQueue& queue, Tally& tally, Listener listener);

    /// Where the source sends; full means: wait.
    Channel<Delivery>& channel() { return channel_; }
    /// Ends when the channel is closed and empty. After `stop` what cannot be stored at once is
    /// rejected: the source finds it again at the next start.
    Task<void> run(Cancel& stop);
    /// Waits until all that was sent has its answer; nothing more may be sent meanwhile.
    Task<Result<void>> answered(Cancel& cancel);
    /// limits.waiting was edited.
    void limit(int waiting);
    /// A job ended: a full queue may have room again.
    void room();
    /// The job that `event` makes on the current revision; `fault`, and those of its own, ride in
    /// Job::failed. Nothing when `when` is false.
    Result<std::optional<Job>> make_job(Event event, const std::string& dedupe,
                                        const std::optional<Error>& fault = std::nullopt) const;
    /// Why nothing is admitted at the moment; empty: it is.
    const std::string& trouble() const { return trouble_; }
    bool queue_full() const { return full_; }

  private:
    struct Waiting {
        Job job;
        std::unique_ptr<Ticket> ticket;
    };
    Task<void> admit(std::vector<Delivery> batch, Cancel& stop);
    Task<std::vector<Waiting>> store(std::vector<Waiting> waiting, Cancel& stop);
    Task<void> pause_for_room(int tries, Cancel& stop);
    void set_full(bool full);

    const Surroundings& around_;
    const std::shared_ptr<const Program>& program_;
    JobQueue& queue_;
    Tally& tally_;
    Listener listener_;
    Channel<Delivery> channel_;
    Waiters room_;
    Waiters idle_;
    std::string trouble_;
    bool full_ = false;
    bool admitting_ = false;
    mutable std::string date_;  // of date_day_: a day's name is computed once
    mutable std::int64_t date_until_ms_ = 0;
};

}  // namespace musher
