// The option tables of a pipeline file's `tests:`.
#pragma once

#include <vector>

#include "reactor/component/schema.h"

namespace musher {

const std::vector<Option>& test_table();    // one case
const std::vector<Option>& answer_table();  // one answer of `simulate: { STEP: … }`
const std::vector<Option>& expect_table();
const std::vector<Option>& expected_step_table();  // one of `expect: { steps: { STEP: … } }`

}  // namespace musher
