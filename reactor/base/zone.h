// Time zones by name, from the system's tzdata.
#pragma once

#include <ctime>
#include <string>

#include "reactor/base/error.h"

namespace musher {

/// The civil time of an IANA zone (or "UTC") at a moment; `tm_gmtoff` is its distance from UTC.
/// `usage` if the zone is unknown, with one that may be meant. Any thread; about 5 µs.
Result<std::tm> local_time(std::time_t seconds, const std::string& zone);

}  // namespace musher
