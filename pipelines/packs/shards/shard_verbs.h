// musher shard copy|remove|list|status|verify|gc
#pragma once

#include "pipelines/verb/verb.h"

namespace musher {

const std::vector<Verb>& shard_verbs();

}  // namespace musher
