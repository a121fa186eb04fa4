// The option tables of the configuration files themselves: they are described like components.
#pragma once

#include <vector>

#include "reactor/component/schema.h"

namespace musher {

const std::vector<Option>& daemon_table();    // the top level of musher.yml
const std::vector<Option>& pipeline_table();  // the top level of a pipeline file
const std::vector<Option>& step_table();      // what may stand beside a step's name
const std::vector<Option>& case_table();      // one of a step's cases

/// The option of that name; null when the table has none.
const Option* find_option(const std::vector<Option>& table, std::string_view name);

/// What `version:` must say; `unknown_version` otherwise, and nothing else should be read then.
bool check_version(const Value& root, std::vector<Problem>& problems);

}  // namespace musher
