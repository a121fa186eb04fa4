// The result of one test, for people and for programs.
#pragma once

#include <string>

#include "pipelines/trial/verdict.h"

namespace musher {

struct TestResult {
    const PipelineConfig* pipeline = nullptr;
    const TestCase* test = nullptr;
    std::vector<Miss> misses;
    std::string error;  // the test itself could not be run
    Observed seen;
    Duration took{0};  // of real time
    bool ok() const { return misses.empty() && error.empty(); }
};

/// Of one that failed: `FILE:LINE:COLUMN: MESSAGE` and the difference of each miss, and the story.
std::string told(const TestResult& result);

/// {pipeline, name, file, line, ok, took_ms, outcome, attempts, receipts, failures: [{file, line,
/// column, message, diff}]}, and `error` where the test could not be run.
Json result_json(const TestResult& result);

}  // namespace musher
