// Identities: UUIDv7 for what has none, a name-based UUIDv8 for what nature names already.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace musher {

/// Time-ordered and unique: 0190f5d8-....  Any thread.
std::string new_uuid7(std::int64_t wall_ms);
/// The same text gives the same id, always (SHA-256, version 8).
std::string uuid_of(std::string_view text);
/// The form of both: 36 characters, hex and dashes.
bool is_uuid(std::string_view text) noexcept;

}  // namespace musher
