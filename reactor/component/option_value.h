// One option's value: from YAML (or from text, for what was rendered) to canonical JSON.
#pragma once

#include <string_view>
#include <vector>

#include "reactor/component/schema.h"

namespace musher {

struct OptionReading {
    const Option& option;
    bool rendered;  // text stands for any scalar: it came from !env, a template or a default
    std::vector<Problem>& problems;
};

/// Null after a fault, which is in `problems` unless the value is `faulty` (then it was before).
Json read_option(const OptionReading& reading, const Value& value);

}  // namespace musher
