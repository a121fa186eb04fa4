// Digests of bytes as they come. The only user of OpenSSL outside filters and drivers.
#pragma once

#include <string>

#include "reactor/base/bytes.h"
#include "reactor/base/error.h"

struct evp_md_ctx_st;

namespace musher {

enum class DigestKind { sha256, sha1, md5 };
std::string_view digest_name(DigestKind kind);
Result<DigestKind> parse_digest(std::string_view name);

/// Any thread, one at a time.
class Digest {
  public:
    explicit Digest(DigestKind kind);
    Digest(Digest&&) noexcept;
    ~Digest();
    void update(ByteView bytes);
    /// The digest's own bytes; once.
    std::string bytes();
    /// The same as lower-case hex.
    std::string hex();

  private:
    evp_md_ctx_st* context_;
};

}  // namespace musher
