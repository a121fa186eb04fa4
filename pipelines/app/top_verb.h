// top: what runs, as it changes.
#pragma once

#include "pipelines/app/verb.h"

namespace musher {

const Verb& top_verb();

}  // namespace musher
