// Problems as people and programs read them.
#pragma once

#include <string>
#include <vector>

#include "reactor/component/value.h"

namespace musher {

/// FILE:LINE:COLUMN: error: MESSAGE, the line, a caret, hint: …; one after the other.
std::string render_problems(const std::vector<Problem>& problems);
/// {ok, problems: [{file, line, column, severity, code, message, hint}]}
Json problems_to_json(const std::vector<Problem>& problems);

}  // namespace musher
