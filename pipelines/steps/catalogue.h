// Every step that is not a sink.
#pragma once

#include <vector>

#include "reactor/component/step.h"

namespace musher {
const std::vector<StepEntry>& step_catalogue();
}  // namespace musher
