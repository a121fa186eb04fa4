// directory: the body becomes a file in a folder, whole and durable or not there.
#pragma once

#include "reactor/component/step.h"

namespace musher {
const Spec& directory_spec();
std::unique_ptr<Step> make_directory();
}  // namespace musher
