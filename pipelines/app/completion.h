// Completion: what may come next on a command line. The shells' scripts ask for it at each tab.
#pragma once

#include <string>
#include <vector>

#include "reactor/base/error.h"

namespace musher {

/// What may stand in place of the last of `words` (musher's arguments so far): verbs, options,
/// pipelines of `config`, components, states; none where a file's name belongs.
std::vector<std::string> complete(std::vector<std::string> words, std::string config);

/// The script of bash, zsh or fish; `usage` for another shell.
Result<std::string> completion_script(const std::string& shell);

}  // namespace musher
