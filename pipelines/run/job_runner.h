// JobRunner: one attempt of one job, from its first step without a receipt to its end.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "pipelines/run/hold.h"
#include "pipelines/run/receipt_book.h"
#include "pipelines/run/story.h"
#include "pipelines/run/track.h"

namespace musher {

struct RunReport {
    Result<void> outcome;  // an error ends the attempt
    Json story = Json::array();
    std::string failed_step;  // place of the step that failed
    bool too_early = false;   // an alarm whose job may yet live: later, no try spent
    bool left = false;        // it waited when a stop began: goes back, no try spent
    // Sinks, and steps that ask a server, by id.
    std::string broken_sink;  // it is broken, not the item: hold the pipeline
    Passed passed_sinks;      // those that the job went through in this attempt, and when
};

/// A stop of the whole program, as its jobs see it.
struct Stop {
    Cancel& begun;  // who waits for something leaves, others are given the time to end
    Cancel& over;   // no more of it
};

/// An interpreter over the tree of a Program's steps. Lives in the frame that runs the job. Loop
/// thread only.
class JobRunner {
  public:
    JobRunner(const Surroundings& around, const Program& program, JobQueue& queue,
              const Claim& claim, Cancel& cancel, Stop stop, Json& progress);

    /// Runs steps in order; a receipt is stored before the next step runs. Leaves no scratch file
    /// behind; a kill -9 leaves the scratch folder, which the next start sweeps.
    Task<RunReport> run();

  private:
    using Steps = std::vector<ProgramStep>;
    struct Branch;
    struct Race;

    Task<Result<void>> run_job(Track& track);
    enum class Rest { flush, leave };  // what becomes of filters that pend at a list's end
    /// After a fault `track.blame` says whose it is.
    Task<Result<void>> run_list(Track& track, const Steps& steps, Rest rest, Cancel& cancel);
    Task<Result<void>> run_step(Track& track, const ProgramStep& step, Cancel& cancel);
    /// An earlier attempt did something of it, or decided for it.
    bool has_begun(const std::string& prefix, const ProgramStep& step) const;
    Task<Result<void>> run_leaf(Track& track, const ProgramStep& step, Cancel& cancel);
    Task<Result<StepResult>> execute(Track& track, const ProgramStep& step, const Options& options,
                                     Cancel& cancel);
    Task<Result<StepResult>> run_fused(Track& track, const ProgramStep& step,
                                       const Options& options, Cancel& cancel);
    Task<Result<void>> materialize(Track& track, Cancel& cancel);
    void tell_filters(Track& track, const std::vector<std::string>& ids,
                      const std::vector<std::unique_ptr<Filter>>& filters, bool well,
                      Instant began);
    Task<Result<void>> record(Track& track, const ProgramStep& step, StepResult result);
    Task<void> lay_blame(Track& track, const ProgramStep& step, Instant began, const Error& error);
    Task<bool> body_readable(const Body& body);
    Task<Result<void>> ensure_scratch(const Track& track);
    Task<void> remove_scratch(std::string folder);
    StepContext context(Track& track, const ProgramStep& step, Cancel& cancel);
    void tell(const Track& track, std::string_view what, Duration took, const std::string& detail);

    // Control steps; job_flow.cpp and job_rounds.cpp.
    Task<Result<void>> run_control(Track& track, const ProgramStep& step, Cancel& cancel);
    Task<Result<void>> run_inside(Track& track, const ProgramStep& step, Cancel& cancel);
    Task<Result<void>> choose(Track& track, const ProgramStep& step, Cancel& cancel);
    Result<const ProgramBranch*> pick(Track& track, const ProgramStep& step);
    Task<Result<void>> parallel(Track& track, const ProgramStep& step, Cancel& cancel);
    Task<void> run_branch(Branch& branch, Race& race);
    Task<Result<void>> for_each(Track& track, const ProgramStep& step, Cancel& cancel);
    Result<Json> list_of(Track& track, const ProgramStep& step);
    Task<Result<void>> rounds(Track& track, const ProgramStep& step, const Json& items,
                              Cancel& cancel);
    /// A round or a look: its files go with it.
    Task<Result<void>> run_apart(Track& track, const Steps& steps, Cancel& cancel);
    Task<Result<void>> end_round(Track& track, const ProgramStep& step, std::string round);
    Task<Result<void>> attempt(Track& track, const ProgramStep& step, Cancel& cancel);
    Task<Result<void>> rescue(Track& track, const ProgramStep& step, Json failed, Cancel& cancel);
    Task<Result<void>> wait(Track& track, const ProgramStep& step, Cancel& cancel);
    Task<Result<bool>> look_once(Track& track, const ProgramStep& step, Cancel& cancel);
    Task<Result<void>> store_pins(Track& track, Cancel& cancel);
    void recall(Track& track, const Steps& steps);

    const Surroundings& around_;
    const Program& program_;
    const Claim& claim_;
    Cancel& cancel_;
    Stop stop_;
    Json& progress_;
    Story story_;
    ReceiptBook receipts_;
    std::string scratch_;
    std::set<std::string> scratch_made_;  // it, and folders of rounds inside
    int scratch_names_ = 0;
    Passed passed_sinks_;
};

}  // namespace musher
