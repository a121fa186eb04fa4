// A step's rendered options as a test shows and compares them: the same on every machine.
#pragma once

#include <string>

#include "pipelines/config/pipeline_file.h"

namespace musher {

/// Without those that are absent; secrets are ***; a path that is relative in the file at `folder`
/// is so here.
Json shown_options(const StepConfig& config, const Options& rendered, const std::string& folder);

/// An option as a test writes it, as shown_options() has it: `5s` is 5000, a number given for text
/// is text.
Json expected_option(const Option& option, const Value& written);

bool has_secrets(const Value& written);

}  // namespace musher
