// Job: an admitted event on its way through one pipeline. Immutable once enqueued.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "reactor/component/event.h"
#include "reactor/component/step.h"

namespace musher {

/// Of the stored form. A reactor of version N also reads N - 1; both are read by name in job.cpp.
inline constexpr int kJobVersion = 1;
/// A finished job over this is kept without its facts (JOB_BYTES in lua/endings.lua).
inline constexpr std::size_t kKeptJobBytes = 4096;

enum class JobState { waiting, delayed, running, done, dead, cancelled };
std::string_view state_name(JobState state);
/// Nothing for a name that is not one of the six.
std::optional<JobState> state_from_name(std::string_view name);

struct Job {
    std::string id;        // the event's id, or made from it
    std::string pipeline;
    std::string queue;     // pipeline, or pipeline@node when the body is a local file
    int revision = 0;      // of the pipeline at admission
    int priority = 0;      // lower first, 0 … 4095
    std::string key;       // one running job per key, in order of acceptance; empty: no order
    std::string dedupe;    // at most one live job per value; empty: none
    int max_attempts = 5;
    std::int64_t created_ms = 0;
    std::int64_t due_ms = 0;   // 0: at once
    Event event;
    bool on_failure = false;   // runs the pipeline's on_failure steps instead of its steps
    Json failed = nullptr;     // on_failure jobs: the Error and id of the job that died

    /// The stored form: a compact JSON array, version first, and the facts on a line of their own.
    /// About 60 bytes beside the facts: `id` and `queue` are not in it, Redis' keys say them.
    std::string encode() const;
    /// `corrupt` for anything else, naming an unknown version.
    static Result<Job> decode(std::string id, std::string queue, std::string_view blob);
};

/// A job in our hands: only the holder of `token` may settle it.
struct Claim {
    Job job;
    std::string token;
    int attempt = 1;
    int stalls = 0;                 // earlier claims whose holder went silent; they cost no try
    Json receipts = Json::array();  // of earlier attempts, in order
};

/// What `jobs list` and `jobs show` print. Of a finished job with over 4 KiB of facts only the
/// rest is kept (`event.file` is).
struct JobRow {
    Job job;
    JobState state = JobState::waiting;
    int attempt = 0;               // of the last claim; 0: never claimed
    std::int64_t due_ms = 0;       // 0: not delayed
    std::int64_t ended_ms = 0;     // 0: not finished
    Json receipts = Json::array();
    Json error = nullptr;          // of the last failed attempt: Error with step, attempt, time
    Json story = Json::array();    // of all attempts, the oldest dropped over 4 KiB
    Json progress = nullptr;       // the last one its holder reported
    /// The contract's Job: {v, id, pipeline, …, error}, plus `ended`, `progress`, `on_failure`
    /// (true, of a job that runs these steps) and, if asked for, `story`.
    Json to_json(bool with_story) const;
};

}  // namespace musher
