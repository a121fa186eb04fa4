// xz_expand: an .xz body becomes what it was made from.
#pragma once

#include "reactor/component/step.h"

namespace musher {
const Spec& xz_expand_spec();
std::unique_ptr<Step> make_xz_expand();
}  // namespace musher
