// What one YAML scalar means, and what a syntax error means.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pipelines/config/yaml.h"
#include "reactor/component/value.h"

namespace musher {

/// `tag` as yaml-cpp gives it: "?" plain, "!" quoted or block, else as written. Reads the variable
/// of !env and the file of !file, a relative one from the folder of at.file. Faults are appended
/// to `problems` and leave a `faulty` Value, as does a secret that is left.
Value make_scalar(const std::string& text, const std::string& tag, const Position& at,
                  std::vector<Problem>& problems, Secrets secrets);

/// Reports a tag that is unknown or stands where only a scalar's tag could.
void report_tag(const std::string& tag, const Value& value, std::vector<Problem>& problems);

struct SyntaxFault {
    const std::string& message;  // the parser's
    std::string_view line;       // the text of the line
    std::size_t column;          // bytes, from 0
    const Position& at;
    const Position& opened;  // of the list or map that never ends, else `at`
};
/// The parser's complaint in words that say what to change.
Problem explain_syntax(const SyntaxFault& fault);

}  // namespace musher
