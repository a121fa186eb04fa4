// Every sink there is.
#pragma once

#include <vector>

#include "reactor/component/step.h"

namespace musher {
const std::vector<StepEntry>& sink_catalogue();
}  // namespace musher
