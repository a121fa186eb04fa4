// checksum: the digest of the body, compared or shown.
#pragma once

#include "reactor/component/step.h"

namespace musher {
const Spec& checksum_spec();
std::unique_ptr<Step> make_checksum();
}  // namespace musher
