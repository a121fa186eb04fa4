// What verbs answer about a configuration that is not sound.
#pragma once

#include <string>
#include <vector>

#include "pipelines/app/verb.h"
#include "pipelines/config/check.h"

namespace musher {

/// What is wrong with what was read from `paths`, on stderr or, with --json, in the answer; its
/// code is that of `usage`; of `not_found` when a path is not there, and of `denied` when all that
/// is wrong are files of secrets that others may read or musher may not.
Answer problems_answer(const Call& call, const Configuration& read,
                       const std::vector<std::string>& paths);

}  // namespace musher
