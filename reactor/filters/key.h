// Key: 32 secret bytes, wiped when dropped.
#pragma once

#include <array>
#include <string>

#include "reactor/base/bytes.h"
#include "reactor/base/error.h"

namespace musher {

class Key {
  public:
    static constexpr std::size_t kBytes = 32;

    /// 32 raw bytes or 64 hex digits, one final newline allowed; `usage` otherwise.
    static Result<Key> parse(std::string_view text);
    /// Reads a key file. `denied` when it is not private (check_private) or somebody else but root
    /// owns it; `usage` when it is no regular file.
    static Result<Key> from_file(const std::string& path);

    Key(const Key&) = default;
    Key& operator=(const Key&) = default;
    ~Key();

    ByteView bytes() const { return bytes_; }
    /// 16 hex digits that name the key and say nothing about it.
    std::string id() const;

  private:
    Key() = default;
    std::array<unsigned char, kBytes> bytes_{};
};

/// HKDF-SHA256 (RFC 5869) to 32 bytes.
std::array<unsigned char, 32> hkdf_sha256(ByteView key, ByteView salt, ByteView info);

}  // namespace musher
