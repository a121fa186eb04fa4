// YAML text → positioned Values. The only user of yaml-cpp.
//
// YAML 1.2 typing, narrowed: only `true` and `false` are booleans; `no`, `on`, `yes` and whatever
// is quoted are text. `!env NAME` and `!file PATH` make secrets; no other tag is known. Anchors,
// aliases and merge keys (<<) work; what comes from an alias stands where its anchor stands.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "reactor/component/value.h"

namespace musher {

/// What !env and !file give: their content; or, for who must not depend on it, nothing: a secret
/// that is `faulty` without a Problem.
enum class Secrets { read, leave };

/// The one document in `text`; `file` is the name in positions and where a relative !file starts.
/// Faults are appended to `problems`. Nothing when the text is no YAML or says nothing; values
/// with a fault of their own are `faulty`.
std::optional<Value> parse_yaml(const std::string& text, const std::string& file,
                                std::vector<Problem>& problems,
                                Secrets secrets = Secrets::read);

/// The text of a configuration file; a missing, unreadable or too large one is a Problem.
std::optional<std::string> read_config_text(const std::string& file,
                                            std::vector<Problem>& problems);

}  // namespace musher
