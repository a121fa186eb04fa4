// exec: runs a program on the body.
#pragma once

#include "reactor/component/step.h"

namespace musher {
const Spec& exec_spec();
std::unique_ptr<Step> make_exec();
}  // namespace musher
