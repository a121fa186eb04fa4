// for_each: a list of steps for each element of a list.
#pragma once

#include "reactor/component/step.h"

namespace musher {
const Spec& for_each_spec();
std::unique_ptr<Step> make_for_each();
}  // namespace musher
