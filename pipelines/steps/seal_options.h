// The options that seal and unseal share.
#pragma once

#include <vector>

#include "reactor/component/schema.h"
#include "reactor/filters/seal.h"

namespace musher {
const std::vector<Option>& seal_option_table();
/// `usage` unless exactly one of key and key_file is given; what else is wrong with the key.
Result<void> check_seal_options(const Options& options);
/// The same, with the key read; key files as Key::from_file.
Result<SealOptions> seal_options(const Options& options);
}  // namespace musher
