// describe: what components there are, in words, as JSON, or as SQL to install.
#pragma once

#include "pipelines/app/verb.h"

namespace musher {

/// `usage` or `not_found` for what there is not.
Result<Answer> describe_verb(const Call& call);

}  // namespace musher
