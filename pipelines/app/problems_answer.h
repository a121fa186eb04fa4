// What verbs answer about a configuration that is not sound.
#pragma once

#include <string>
#include <vector>

#include "pipelines/app/verb.h"
#include "pipelines/config/check.h"

namespace musher {

/// What is wrong with what was read from `paths`, on stderr or, with --json, in the answer; its
/// code is that of `usage`, or of `not_found` when a path is not there.
Answer problems_answer(const Call& call, const Configuration& read,
                       const std::vector<std::string>& paths);

}  // namespace musher
