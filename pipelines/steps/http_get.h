// http_get: reads a URL into the job's body, or into the step's fields.
#pragma once

#include "reactor/component/step.h"

namespace musher {
const Spec& http_get_spec();
std::unique_ptr<Step> make_http_get();
}  // namespace musher
