// The options that seal and unseal share.
#pragma once

#include <vector>

#include "reactor/component/schema.h"
#include "reactor/filters/seal.h"

namespace musher {
const std::vector<Option>& seal_option_table();
/// Unless exactly one of key and key_file is given; what else is wrong with the key.
Faults check_seal_options(const Options& options);
/// The same, with the key read; key files as Key::from_file.
Result<SealOptions> seal_options(const Options& options);
}  // namespace musher
