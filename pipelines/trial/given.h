// Given: the event that a test begins with.
#pragma once

#include <string>

#include "pipelines/config/pipeline_file.h"
#include "reactor/component/event.h"

namespace musher {

struct Given {
    Event event;
    std::int64_t at_ms = 0;  // the wall clock when it comes
    std::string refusal;     // why the source would not take it; empty: it would
};

/// The samples of the source's fields, with what the test says instead. `folder` gets the job's
/// file where the test names none; `timezone` is musher.yml's. `not_found` and others when the
/// test's file cannot be read. Blocking.
Result<Given> given_event(const PipelineConfig& pipeline, const TestCase& test,
                          const std::string& folder, const std::string& timezone);

}  // namespace musher
