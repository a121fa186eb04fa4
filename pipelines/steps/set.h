// set: values worked out once, for the steps behind it.
#pragma once

#include "reactor/component/step.h"

namespace musher {
const Spec& set_spec();
std::unique_ptr<Step> make_set();
}  // namespace musher
