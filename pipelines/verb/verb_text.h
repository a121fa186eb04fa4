// How verbs write what they were told: tables, values, ages.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "reactor/base/json.h"

namespace musher {

/// Rows of equal width; the first row is the heading.
std::string table(const std::vector<std::vector<std::string>>& rows);
/// Text without what steers a terminal (a name may hold anything; \x1b stands for it), "-" for
/// null, other values as JSON.
std::string shown(const Json& value);
/// 950ms, 100s, 90m, 12h.
std::string age(std::int64_t ms);

}  // namespace musher
