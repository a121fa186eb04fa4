// Digests: of a stream that passes, and of bytes as they come.
#pragma once

#include <memory>
#include <string>

#include "reactor/filters/filter.h"

struct evp_md_ctx_st;

namespace musher {

enum class DigestKind { sha256, sha1, md5 };
Result<DigestKind> parse_digest(std::string_view name);

/// Any thread, one at a time.
class Digest {
  public:
    explicit Digest(DigestKind kind);
    Digest(Digest&&) noexcept;
    ~Digest();
    void update(ByteView bytes);
    /// Lower-case hex; once.
    std::string hex();

  private:
    evp_md_ctx_st* context_;
};

/// Passes everything on unchanged; result() is {sha256: hex, bytes: n} (or sha1, md5).
std::unique_ptr<Filter> make_digest(DigestKind kind);

}  // namespace musher
