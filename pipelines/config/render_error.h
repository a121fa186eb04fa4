// Problems as people and programs read them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "reactor/component/value.h"

namespace musher {

/// For each: `FILE:LINE:COLUMN: error: MESSAGE`, the line and a caret below it where the file can
/// be read, `hint: …`. Control characters are not passed on to the terminal.
std::string render_problems(const std::vector<Problem>& problems);

/// {ok, problems: [{file, line, column, severity, code, message, hint}]}; ok: no error among them.
Json problems_to_json(const std::vector<Problem>& problems);

/// "    LINE\n    CARET\n" for a place in one line; a long line is cut around it. `column` counts
/// code points from 1.
std::string excerpt(std::string_view line, int column);

}  // namespace musher
