#include "reactor/base/digest.h"

#include <nettle/md5.h>
#include <nettle/nettle-meta.h>
#include <nettle/sha1.h>
#include <nettle/sha2.h>

#include "reactor/base/text.h"

namespace musher {

namespace {
// In the order of DigestKind.
constexpr std::array kMethods = {&nettle_sha256, &nettle_sha1, &nettle_md5};
}  // namespace

std::string_view digest_name(DigestKind kind) {
    return kMethods.at(static_cast<std::size_t>(kind))->name;
}

Result<DigestKind> parse_digest(std::string_view name) {
    for (std::size_t i = 0; i < kMethods.size(); ++i) {
        if (kMethods[i]->name == name) return static_cast<DigestKind>(i);
    }
    return fail(Errc::usage, "unknown digest '" + std::string(name) + "'",
                "sha256, sha1 and md5 are known");
}

Digest::Digest(DigestKind kind) : method_(kMethods.at(static_cast<std::size_t>(kind))) {
    static_assert(sizeof(state_) >= sizeof(sha256_ctx) && sizeof(state_) >= sizeof(sha1_ctx) &&
                  sizeof(state_) >= sizeof(md5_ctx));
    method_->init(state_.data());
}

void Digest::update(ByteView bytes) { method_->update(state_.data(), bytes.size(), bytes.data()); }

std::string Digest::bytes() {
    std::array<std::uint8_t, SHA256_DIGEST_SIZE> raw{};
    method_->digest(state_.data(), method_->digest_size, raw.data());
    return std::string(as_text(ByteView(raw).first(method_->digest_size)));
}

std::string Digest::hex() { return to_hex(as_bytes(bytes())); }

}  // namespace musher
