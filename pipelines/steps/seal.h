// seal: the body becomes an encrypted, authenticated file.
#pragma once

#include "reactor/component/step.h"

namespace musher {
const Spec& seal_spec();
std::unique_ptr<Step> make_seal_step();
}  // namespace musher
