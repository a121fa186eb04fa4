// musher test: runs the `tests:` of pipeline files.
#pragma once

#include "pipelines/app/verb.h"

namespace musher {

/// `failed` when a test has, `usage` when a file is wrong, `not_found` when a path or --filter
/// names nothing.
Result<Answer> test_verb(const Call& call);

}  // namespace musher
