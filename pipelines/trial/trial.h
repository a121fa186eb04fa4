// Trial: one test of a pipeline, on the interpreter that runs it in earnest.
#pragma once

#include <memory>
#include <string>

#include "pipelines/config/daemon_file.h"
#include "pipelines/trial/record.h"

namespace musher {

/// Of real time; what is not over by then is ended.
inline constexpr Duration kTrialPatience = std::chrono::seconds(10);

struct Observed {
    std::string outcome;  // done, dead, skipped, held, or unfinished
    std::string reason;   // of skipped and unfinished
    int attempts = 0;
    std::string key, dedupe;
    Json error = nullptr;  // of the last attempt that failed: Error with `step`
    std::string file;      // done, failed, deleted, left; empty: the source has no files
    std::shared_ptr<const Record> record = std::make_shared<Record>();
    Json bindings = Json::object();  // what an expression sees in the end
    Json story = Json::array();
};

/// Queue, dispatcher and runner are those of a running musher; the queue is in memory, and the
/// clock goes to the next timer by itself. Nothing outside `folder` is written, and it is left
/// empty. An error means that the test itself is at fault: its file cannot be read.
Result<Observed> run_trial(const PipelineConfig& pipeline, const DaemonConfig& daemon,
                           const TestCase& test, const std::string& folder);

}  // namespace musher
