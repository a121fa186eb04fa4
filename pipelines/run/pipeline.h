// Pipeline: one running pipeline: source → intake → queue → dispatcher → settlement.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pipelines/queue/job_queue.h"
#include "pipelines/run/dispatcher.h"
#include "pipelines/run/intake.h"
#include "pipelines/run/settler.h"

namespace musher {

/// Answers a source's recovery from the pipeline's queue.
class QueueLedger final : public Ledger {
  public:
    explicit QueueLedger(JobQueue& queue) : queue_(queue) {}
    Task<Result<std::vector<Presence>>> find(std::vector<std::string> ids, Cancel& cancel) override;
    Task<Result<Settlement>> settlement(std::string id, Cancel& cancel) override;

  private:
    JobQueue& queue_;
};

/// Loop thread only.
class Pipeline {
  public:
    Pipeline(const Surroundings& around, std::shared_ptr<const Program> program,
             std::unique_ptr<JobQueue> queue, Tally& tally, Scope* parent);
    ~Pipeline();

    /// Builds the source; touches nothing outside. `usage` when its options contradict.
    Result<void> build();
    /// Events that are admitted and attempts that start work on `next` from now on; those that run
    /// finish as they began. With another source: as soon as the one that runs has ended and what
    /// it sent has its answer. `usage`, and nothing has changed, when the source cannot be built.
    Result<void> adopt(std::shared_ptr<const Program> next);
    /// What its queue takes and keeps from now on.
    void limit(const QueueOptions& options) { queue_->limit(options); }
    /// The revision that was adopted last, which may wait for its source.
    const Program& newest() const { return next_ ? *next_->program : *program_; }
    /// Works until `stop`: the source ends first, then what it had sent is admitted or rejected,
    /// then running jobs end (for `grace` at most), then originals are put where they belong.
    Task<void> run(Cancel& stop, Duration grace);
    /// It was taken out of the configuration: run() does not end before its source has put back
    /// what became no job.
    void retire() { retired_ = true; }
    /// Instead of run(): only the queue, for a verb. One try. close() in any case.
    Task<Result<void>> open(Cancel& cancel) { return queue_->open(cancel); }
    Task<void> close() { return queue_->close(); }

    const std::string& name() const { return program_->config().name; }
    const PipelineConfig& config() const { return program_->config(); }
    const Program& program() const { return *program_; }
    JobQueue& queue() { return *queue_; }
    Intake& intake() { return intake_; }
    Dispatcher& dispatcher() { return dispatcher_; }
    Tally& tally() { return tally_; }
    /// Hold it for the length of a question: an edit may replace it.
    std::shared_ptr<Source> source() const { return source_; }

    /// Tells the source of a job that ended without a dispatcher: cancelled while it waited.
    Task<Result<void>> settle_ended(std::string id, Cancel& cancel);
    /// Until the end of a job that just died has reached its source, or was tried in vain.
    Task<Result<void>> until_put_away(std::string id, Cancel& cancel);

    void wake() { dispatcher_.wake(); }
    /// Somebody paused or resumed the queue, or cancelled a job that may run here: asks it which.
    void obey();
    /// The queue's server was away and may have lost its memory.
    void recheck();
    /// About every 15 s.
    void tick();
    /// Follows the queue's pause flag, whoever set it.
    void follow_pause(bool paused);
    bool paused() const { return paused_; }
    /// One element of `status --json`'s pipelines.
    Json status(QueueStats counts) const;
    /// Completes an answer whose file a job has: by the job's state.
    Task<Result<void>> explain(Why& answer, Cancel& cancel);
    /// What is wrong, for /health; empty: nothing.
    std::string problem() const;

  private:
    struct Change {
        std::shared_ptr<const Program> program;
        std::shared_ptr<Source> source;
    };
    Result<std::shared_ptr<Source>> make_source(std::shared_ptr<const Program> program);
    Task<Result<void>> open_queue(Cancel& stop);
    Task<void> run_source(Cancel& stop);
    Task<Result<void>> change_source(Cancel& stop);
    Task<void> retire_source(Cancel& cancel);
    Task<void> give_back();
    Task<void> say_goodbye();
    void settled(std::vector<Settlement> batch);
    void steer_source();
    void ask_for_pause();
    Task<void> read_pause(Cancel& stop);

    const Surroundings& around_;
    std::shared_ptr<const Program> program_;
    std::unique_ptr<JobQueue> queue_;
    Tally& tally_;
    QueueLedger ledger_;
    Intake intake_;
    Dispatcher dispatcher_;
    std::shared_ptr<Source> source_;
    std::optional<Change> next_;     // waits for the source that runs to end
    Cancel* source_over_ = nullptr;  // ends the source that runs
    Scope scope_;
    Settler settler_;
    std::string queue_trouble_;
    std::string source_trouble_;
    bool paused_ = false;
    bool retired_ = false;
    bool reading_pause_ = false;
    bool pause_unread_ = false;  // since the last question it may have changed
    Cancel* stop_ = nullptr;
};

}  // namespace musher
