// parallel: several lists of steps at once.
#pragma once

#include "reactor/component/step.h"

namespace musher {
const Spec& parallel_spec();
std::unique_ptr<Step> make_parallel();
}  // namespace musher
