// The steps of a pipeline file: each a map of one component's name, and id, when, timeout.
#pragma once

#include <string>
#include <vector>

#include "pipelines/config/pipeline_reader.h"

namespace musher {

/// Reads `list` and the steps inside its steps. Steps that cannot be read are left out, with
/// their Problems. `name`: "steps", for messages.
std::vector<StepConfig> read_steps(const Value& list, std::string_view name,
                                   const Reading& reading);

/// Gives every step its id, unique in the file: those that were written first, then KIND, KIND-2, …
void name_steps(const std::vector<std::vector<StepConfig>*>& lists, std::vector<Problem>& problems);

}  // namespace musher
