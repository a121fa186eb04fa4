// log: a line of the user's own in the log.
#pragma once

#include "reactor/component/step.h"

namespace musher {
const Spec& log_spec();
std::unique_ptr<Step> make_log();
}  // namespace musher
