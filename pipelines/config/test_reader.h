// The cases of a pipeline file's `tests:`.
#pragma once

#include <vector>

#include "pipelines/config/pipeline_reader.h"

namespace musher {

/// `config` has its source and steps already. Faults go to reading.problems; a case with an error
/// may be incomplete. Expressions are not looked at, nor is any file that a case names.
std::vector<TestCase> read_tests(const Value& list, const PipelineConfig& config,
                                 const Reading& reading);

/// Every step of a pipeline, those inside others and of on_failure too.
std::vector<const StepConfig*> all_steps(const PipelineConfig& config);
/// It runs other steps and does nothing itself.
bool is_control(const Spec& spec);

}  // namespace musher
