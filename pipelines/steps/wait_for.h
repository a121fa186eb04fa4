// wait_for: nothing, until an expression is true.
#pragma once

#include "reactor/component/step.h"

namespace musher {
const Spec& wait_for_spec();
std::unique_ptr<Step> make_wait_for();
}  // namespace musher
