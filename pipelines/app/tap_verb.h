// tap: events as they pass.
#pragma once

#include "pipelines/app/verb.h"

namespace musher {

const Verb& tap_verb();

}  // namespace musher
