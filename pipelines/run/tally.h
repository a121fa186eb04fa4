// Tally: what happens to the jobs of one pipeline, counted and told to who listens.
#pragma once

#include <array>
#include <string>

#include "pipelines/queue/job_queue.h"
#include "pipelines/run/event_ring.h"
#include "reactor/base/histogram.h"

namespace musher {

/// Of one pipeline in this process, since its start: edits and new lives of the pipeline count on.
/// No call allocates unless somebody listens. Loop thread only.
class Tally {
  public:
    /// Seconds.
    static constexpr std::array kSpans = {0.001, 0.0025, 0.005, 0.01,  0.025, 0.05,
                                          0.1,   0.25,   0.5,   1.0,   2.5,   5.0,
                                          10.0,  30.0,   60.0,  300.0, 900.0, 3600.0};
    struct Counts {
        std::uint64_t accepted = 0;    // jobs stored, those of on_failure and by hand too
        std::uint64_t duplicates = 0;  // events whose job is known already
        std::uint64_t unwanted = 0;    // … for which `when` is false
        std::uint64_t rejected = 0;    // … that could not become a job; the source keeps them
        std::uint64_t done = 0, retried = 0, dead = 0, cancelled = 0;
        std::uint64_t holds = 0;  // how often a sink was found broken
        Histogram wait{kSpans};   // from a job's event to the start of its first attempt
        Histogram run{kSpans};    // attempts, however they ended
    };

    Tally(const Clock& clock, EventRing& ring, std::string pipeline)
        : clock_(clock), ring_(ring), pipeline_(std::move(pipeline)) {}
    Tally(const Tally&) = delete;

    const Counts& counts() const { return counts_; }

    void put(const Job& job, PutCode code);
    void unwanted() { ++counts_.unwanted; }
    void rejected() { ++counts_.rejected; }
    void started(const Claim& claim);
    /// An attempt is over.
    void ran(Duration took) { counts_.run.add(took); }
    void done(const std::string& id, int attempt, const Event& event);
    /// It will be tried again; unless `spends_try` its sink is held, or it was put back.
    void delayed(const Claim& claim, bool spends_try, const std::string& step, const Error& why);
    void released(const Claim& claim);
    /// Dead or cancelled.
    void ended(const Job& job, int attempt, JobState state, const std::string& step,
               const std::string& why);
    void replayed(const Job& job);
    void held(const std::string& sink, const std::string& why);
    void recovered(const std::string& sink);
    void paused(bool paused);

  private:
    Happening& tell_job(std::string_view state, const std::string& id, const Event& event,
                        int attempt);

    const Clock& clock_;
    EventRing& ring_;
    std::string pipeline_;
    Counts counts_;
};

}  // namespace musher
