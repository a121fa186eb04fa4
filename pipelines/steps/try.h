// try: steps, and what is done when one of them fails.
#pragma once

#include "reactor/component/step.h"

namespace musher {
const Spec& try_spec();
std::unique_ptr<Step> make_try();
}  // namespace musher
