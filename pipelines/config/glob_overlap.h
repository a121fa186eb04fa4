// Whether two globs (* ? [a-z]) can match one and the same name.
#pragma once

#include <string_view>

namespace musher {

/// `fold_case` ignores the case of Latin letters.
bool globs_overlap(std::string_view a, std::string_view b, bool fold_case);

}  // namespace musher
