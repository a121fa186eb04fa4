// The folder of the embedded redis-server: made and kept small, and what its log says of an end.
#pragma once

#include <string>

#include "reactor/base/error.h"

namespace musher {

/// Makes it (0700) and puts a large log aside. Blocking.
Result<void> prepare_redis_folder(const std::string& folder, const std::string& log);

/// The last two lines of its last life that say more than start and end; empty when there are
/// none. Blocking.
std::string last_redis_complaints(const std::string& log);

/// Nothing more can be written there. Blocking.
bool is_disk_full(const std::string& folder);

/// `how` it ended ("exited with 1") and what it `said`: `full` for a full disk, `corrupt` for an
/// append-only file that has to be mended, else `unavailable`.
Error redis_end_error(const std::string& how, const std::string& said);

}  // namespace musher
