// JobRunner: one attempt of one job, from its first step without a receipt to its end.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pipelines/queue/job_queue.h"
#include "pipelines/run/program.h"
#include "pipelines/run/story.h"
#include "pipelines/run/surroundings.h"

namespace musher {

struct RunReport {
    Result<void> outcome;         // an error ends the attempt
    Json story = Json::array();
    std::string failed_step;      // id of the step that failed
    bool too_early = false;       // an alarm whose job may yet live: later, no try spent
    bool sink_fault = false;      // the sink is broken, not the item: hold the pipeline
    std::vector<std::string> passed_sinks;  // ids of the sinks that took the job in this attempt
};

/// Lives in the frame that runs the job. Loop thread only.
class JobRunner {
  public:
    JobRunner(const Surroundings& around, const Program& program, JobQueue& queue,
              const Claim& claim, Cancel& cancel, Json& progress);

    /// Runs steps in order; a receipt is stored before the next step runs. Leaves no scratch file
    /// behind; a kill -9 leaves the scratch folder, which the next start sweeps.
    Task<RunReport> run();

  private:
    struct Pending {              // a filter step that waits for somebody to need the body
        const ProgramStep* step;
        std::unique_ptr<Filter> filter;
    };
    Task<Result<void>> run_steps();
    Task<Result<void>> run_step(const ProgramStep& step);
    Task<Result<StepResult>> execute(const ProgramStep& step, const Options& options,
                                     Cancel& cancel);
    Task<Result<void>> materialize(Cancel& cancel);
    Task<Result<void>> record(const ProgramStep& step, StepResult result);
    Task<Result<void>> ensure_scratch();
    Task<void> remove_scratch();
    Task<bool> body_readable();
    bool fuses_into(const ProgramStep& sink) const;
    std::vector<std::unique_ptr<Filter>> take_filters();
    void note_filters(const std::vector<std::unique_ptr<Filter>>& filters);
    const Json* receipt_of(const std::string& step) const;
    Json bindings() const;
    StepContext context(const ProgramStep& step, Cancel& cancel);

    const Surroundings& around_;
    const Program& program_;
    JobQueue& queue_;
    const Claim& claim_;
    Cancel& cancel_;
    Json& progress_;
    Story story_;
    Body body_;
    std::string scratch_;
    bool scratch_made_ = false;
    int scratch_files_ = 0;
    Json outputs_ = Json::object();
    std::vector<Pending> pending_;
    std::vector<std::string> fused_;   // ids of the filters that run now
    std::string current_;         // id of the step that runs
    bool in_sink_ = false;
    std::vector<std::string> passed_sinks_;
};

}  // namespace musher
