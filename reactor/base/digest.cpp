#include "reactor/base/digest.h"

#include <openssl/evp.h>

#include <array>
#include <utility>

#include "reactor/base/text.h"

namespace musher {

namespace {

constexpr std::array<std::string_view, 3> kNames = {"sha256", "sha1", "md5"};

/// Looked up once, not for every id.
const EVP_MD* method(DigestKind kind) {
    static const std::array<EVP_MD*, kNames.size()> all = {EVP_MD_fetch(nullptr, "SHA256", nullptr),
                                                           EVP_MD_fetch(nullptr, "SHA1", nullptr),
                                                           EVP_MD_fetch(nullptr, "MD5", nullptr)};
    return all.at(static_cast<std::size_t>(kind));
}

}  // namespace

std::string_view digest_name(DigestKind kind) { return kNames[static_cast<std::size_t>(kind)]; }

Result<DigestKind> parse_digest(std::string_view name) {
    for (std::size_t i = 0; i < kNames.size(); ++i) {
        if (kNames[i] == name) return static_cast<DigestKind>(i);
    }
    return fail(Errc::usage, "unknown digest '" + std::string(name) + "'",
                "sha256, sha1 and md5 are known");
}

Digest::Digest(DigestKind kind) : context_(EVP_MD_CTX_new()) {
    MUSHER_CHECK(context_ && EVP_DigestInit_ex(context_, method(kind), nullptr) == 1);
}
Digest::Digest(Digest&& other) noexcept : context_(std::exchange(other.context_, nullptr)) {}
Digest::~Digest() { EVP_MD_CTX_free(context_); }

void Digest::update(ByteView bytes) {
    MUSHER_CHECK(EVP_DigestUpdate(context_, bytes.data(), bytes.size()) == 1);
}

std::string Digest::bytes() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> raw{};
    unsigned size = 0;
    MUSHER_CHECK(EVP_DigestFinal_ex(context_, raw.data(), &size) == 1);
    return std::string(as_text(ByteView(raw).first(size)));
}

std::string Digest::hex() { return to_hex(as_bytes(bytes())); }

}  // namespace musher
