// Job: an admitted event on its way through one pipeline. Immutable once enqueued.
#pragma once

#include <string>

#include "reactor/component/event.h"
#include "reactor/component/step.h"

namespace musher {

enum class JobState { waiting, delayed, running, done, dead, cancelled };
std::string_view state_name(JobState state);

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

    /// The stored form: compact JSON array, version first; about 100 bytes beside the facts.
    std::string encode() const;
    /// `corrupt` for anything else, naming an unknown version.
    static Result<Job> decode(std::string_view blob);
};

/// A job in our hands: only the holder of `token` may settle it.
struct Claim {
    Job job;
    std::string token;
    int attempt = 1;
    Json receipts = Json::array();  // of earlier attempts, in order
};

/// What `jobs list` and `jobs show` print, in the contract's shape.
struct JobRow {
    Job job;
    JobState state = JobState::waiting;
    int attempt = 0;
    std::int64_t due_ms = 0;
    std::int64_t ended_ms = 0;
    Json receipts = Json::array();
    Json error = nullptr;
    Json story = Json::array();
    Json progress = nullptr;
    Json to_json(bool with_story) const;
};

}  // namespace musher
