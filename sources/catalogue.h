// Every source there is. Forgetting a line here is forgetting the component.
#pragma once

#include <vector>

#include "reactor/component/source.h"

namespace musher {
const std::vector<SourceEntry>& source_catalogue();
}  // namespace musher
