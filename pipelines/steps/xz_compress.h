// xz_compress: the body becomes an .xz file.
#pragma once

#include "reactor/component/step.h"

namespace musher {
const Spec& xz_compress_spec();
std::unique_ptr<Step> make_xz_compress();
}  // namespace musher
