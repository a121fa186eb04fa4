#include "reactor/filters/digest.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "reactor/base/text.h"

namespace musher {

namespace {

constexpr std::array<std::string_view, 3> kNames = {"sha256", "sha1", "md5"};

const EVP_MD* method(DigestKind kind) {
    switch (kind) {
        case DigestKind::sha256:
            return EVP_sha256();
        case DigestKind::sha1:
            return EVP_sha1();
        case DigestKind::md5:
            return EVP_md5();
    }
    return nullptr;
}

class DigestFilter final : public Filter {
  public:
    explicit DigestFilter(DigestKind kind) : kind_(kind), digest_(kind) {}
    std::string_view name() const override { return "digest"; }
    Result<void> push(ByteView& input, Slice& out) override {
        const std::size_t size = std::min(input.size(), out.room());
        if (size == 0) return {};
        std::memcpy(out.tail(), input.data(), size);
        digest_.update(input.first(size));
        bytes_ += size;
        out.resize(out.size() + size);
        input = input.subspan(size);
        return {};
    }
    Result<bool> finish(Slice&) override {
        hex_ = digest_.hex();
        return true;
    }
    Json result() const override {
        Json all{{"bytes", bytes_}};
        all[std::string(kNames[static_cast<std::size_t>(kind_)])] = hex_;
        return all;
    }

  private:
    DigestKind kind_;
    Digest digest_;
    std::uint64_t bytes_ = 0;
    std::string hex_;
};

}  // namespace

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

std::string Digest::hex() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
    unsigned size = 0;
    MUSHER_CHECK(EVP_DigestFinal_ex(context_, bytes.data(), &size) == 1);
    return to_hex(std::span(bytes.data(), size));
}

std::unique_ptr<Filter> make_digest(DigestKind kind) {
    return std::make_unique<DigestFilter>(kind);
}

}  // namespace musher
