// unseal: a sealed body becomes what it was made from.
#pragma once

#include "reactor/component/step.h"

namespace musher {
const Spec& unseal_spec();
std::unique_ptr<Step> make_unseal_step();
}  // namespace musher
