// Digests of bytes as they come. The only user of nettle.
#pragma once

#include <array>
#include <cstddef>
#include <string>

#include "reactor/base/bytes.h"
#include "reactor/base/error.h"

struct nettle_hash;

namespace musher {

enum class DigestKind { sha256, sha1, md5 };
std::string_view digest_name(DigestKind kind);
Result<DigestKind> parse_digest(std::string_view name);

/// Any thread, one at a time.
class Digest {
  public:
    explicit Digest(DigestKind kind);
    void update(ByteView bytes);
    /// The digest's own bytes; once.
    std::string bytes();
    /// The same as lower-case hex.
    std::string hex();

  private:
    const nettle_hash* method_;
    alignas(std::max_align_t) std::array<std::byte, 112> state_{};
};

}  // namespace musher
