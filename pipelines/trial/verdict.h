// Verdict: where what came of a test differs from what it expects.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pipelines/config/pipeline_file.h"
#include "pipelines/trial/trial.h"

namespace musher {

struct Miss {
    Position at;          // of the expectation
    std::string message;  // one line
    std::string diff;     // lines with -, + or two blanks; empty: the message says it all
};

/// Empty: the test has passed. `golden`, if there is one, is held against judge_golden().
std::vector<Miss> judge(const PipelineConfig& pipeline, const TestCase& test, const Observed& seen);

constexpr std::string_view kGoldenStart = "outcome: ";  // of every golden file
/// All that came of it, for a golden file: the same at every run and on every machine.
std::string golden_text(const Observed& seen);
/// Its difference from the golden file's content.
std::vector<Miss> judge_golden(const TestCase& test, const std::string& golden,
                               const Observed& seen);

/// One element for each receipt: what the file names of its options, and the content.
Json brief_receipts(const Observed& seen);

}  // namespace musher
