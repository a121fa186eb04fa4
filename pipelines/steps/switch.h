// switch: one of several lists of steps.
#pragma once

#include "reactor/component/step.h"

namespace musher {
const Spec& switch_spec();
std::unique_ptr<Step> make_switch();
}  // namespace musher
