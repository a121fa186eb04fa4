#include "reactor/filters/seal.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace musher {

namespace {

constexpr std::size_t kSalt = 32;
constexpr std::size_t kPrefix = 7;
constexpr std::size_t kHeader = 1 + kSalt + kPrefix;
constexpr std::size_t kTag = 16;
constexpr std::size_t kNonce = 12;

/// AES-256-GCM over one segment at a time; the key is set once.
class SegmentCipher {
  public:
    SegmentCipher(const SealOptions& options, ByteView salt, ByteView prefix, bool encrypts)
        : context_(EVP_CIPHER_CTX_new()), encrypts_(encrypts) {
        auto key = hkdf_sha256(options.key.bytes(), salt, as_bytes(options.aad));
        std::copy(prefix.begin(), prefix.end(), prefix_.begin());
        MUSHER_CHECK(context_ && EVP_CipherInit_ex(context_, EVP_aes_256_gcm(), nullptr, key.data(),
                                                   nullptr, encrypts ? 1 : 0) == 1);
        OPENSSL_cleanse(key.data(), key.size());
    }
    SegmentCipher(const SegmentCipher&) = delete;
    ~SegmentCipher() { EVP_CIPHER_CTX_free(context_); }

    /// `out` has room for the text and, when encrypting, the tag.
    void seal(std::uint32_t index, bool last, ByteView text, unsigned char* out) {
        start(index, last);
        int size = 0;
        MUSHER_CHECK(EVP_CipherUpdate(context_, out, &size, text.data(),
                                      static_cast<int>(text.size())) == 1);
        MUSHER_CHECK(EVP_CipherFinal_ex(context_, out + size, &size) == 1);
        MUSHER_CHECK(EVP_CIPHER_CTX_ctrl(context_, EVP_CTRL_GCM_GET_TAG, kTag,
                                         out + text.size()) == 1);
    }
    /// False when the tag does not hold; `out` is then worthless.
    bool open(std::uint32_t index, bool last, ByteView sealed, unsigned char* out) {
        start(index, last);
        const ByteView text = sealed.first(sealed.size() - kTag);
        std::array<unsigned char, kTag> tag{};
        std::copy(sealed.end() - kTag, sealed.end(), tag.begin());
        int size = 0;
        MUSHER_CHECK(EVP_CipherUpdate(context_, out, &size, text.data(),
                                      static_cast<int>(text.size())) == 1);
        MUSHER_CHECK(EVP_CIPHER_CTX_ctrl(context_, EVP_CTRL_GCM_SET_TAG, kTag, tag.data()) == 1);
        return EVP_CipherFinal_ex(context_, out + size, &size) == 1;
    }

  private:
    void start(std::uint32_t index, bool last) {
        std::array<unsigned char, kNonce> nonce{};
        std::copy(prefix_.begin(), prefix_.end(), nonce.begin());
        for (unsigned i = 0; i < 4; ++i) {
            nonce[kPrefix + i] = static_cast<unsigned char>(index >> (24 - 8 * i));
        }
        nonce[kNonce - 1] = last ? 1 : 0;
        MUSHER_CHECK(EVP_CipherInit_ex(context_, nullptr, nullptr, nullptr, nonce.data(),
                                       encrypts_ ? 1 : 0) == 1);
    }
    EVP_CIPHER_CTX* context_;
    std::array<unsigned char, kPrefix> prefix_{};
    bool encrypts_;
};

/// What both directions share: a segment being gathered, and output waiting for room.
class SegmentFilter : public Filter {
  public:
    explicit SegmentFilter(const SealOptions& options)
        : options_(options), gathered_(options.segment_bytes), ready_(options.segment_bytes) {}
    bool more_output() const override { return given_ < ready_.size(); }

  protected:
    void gather(ByteView& input, std::size_t most) {
        const std::size_t size = std::min(input.size(), most - gathered_.size());
        if (size == 0) return;
        std::memcpy(gathered_.tail(), input.data(), size);
        gathered_.resize(gathered_.size() + size);
        input = input.subspan(size);
    }
    /// True when nothing is left to give.
    bool give(Slice& out) {
        const std::size_t size = std::min(ready_.size() - given_, out.room());
        if (size > 0) std::memcpy(out.tail(), ready_.data() + given_, size);
        out.resize(out.size() + size);
        given_ += size;
        return given_ == ready_.size();
    }
    /// Where the next segment's output goes: straight into `out` when there is room for all of it.
    unsigned char* place(Slice& out, std::size_t size) {
        return out.room() >= size ? out.tail() : ready_.data();
    }
    void placed(Slice& out, const unsigned char* at, std::size_t size) {
        const bool waits = at == ready_.data();
        ready_.resize(waits ? size : 0);
        if (!waits) out.resize(out.size() + size);
        given_ = 0;
        gathered_.resize(0);
        ++index_;
    }

    SealOptions options_;
    Slice gathered_;
    Slice ready_;
    std::size_t given_ = 0;
    std::uint32_t index_ = 0;
    bool ended_ = false;
};

class Seal final : public SegmentFilter {
  public:
    explicit Seal(const SealOptions& options) : SegmentFilter(options) {
        std::array<unsigned char, kSalt + kPrefix> random{};
        if (options.header_for_tests) {
            MUSHER_CHECK(options.header_for_tests->size() == random.size());
            std::memcpy(random.data(), options.header_for_tests->data(), random.size());
        } else {
            MUSHER_CHECK(RAND_bytes(random.data(), random.size()) == 1);
        }
        cipher_ = std::make_unique<SegmentCipher>(options, ByteView(random).first(kSalt),
                                                  ByteView(random).last(kPrefix), true);
        header_[0] = kHeader;
        std::copy(random.begin(), random.end(), header_.begin() + 1);
    }
    std::string_view name() const override { return "seal"; }

    Result<void> push(ByteView& input, Slice& out) override {
        while (give(out) && !input.empty()) {
            // A full segment waits until it is known not to be the last.
            if (gathered_.size() == capacity()) encrypt(false, out);
            if (!more_output()) gather(input, capacity());
        }
        return {};
    }
    Result<bool> finish(Slice& out) override {
        if (give(out) && !ended_) {
            ended_ = true;
            encrypt(true, out);
            return give(out);
        }
        return !more_output() && ended_;
    }
    Json result() const override { return Json{{"key_id", options_.key.id()}}; }

  private:
    std::size_t capacity() const {
        return options_.segment_bytes - kTag - (index_ == 0 ? kHeader : 0);
    }
    void encrypt(bool last, Slice& out) {
        const std::size_t lead = index_ == 0 ? kHeader : 0;
        const std::size_t size = lead + gathered_.size() + kTag;
        unsigned char* const at = place(out, size);
        if (lead > 0) std::copy(header_.begin(), header_.end(), at);
        cipher_->seal(index_, last, gathered_.view(), at + lead);
        placed(out, at, size);
    }
    std::array<unsigned char, kHeader> header_{};
    std::unique_ptr<SegmentCipher> cipher_;
};

class Unseal final : public SegmentFilter {
  public:
    explicit Unseal(const SealOptions& options) : SegmentFilter(options) {}
    std::string_view name() const override { return "unseal"; }

    Result<void> push(ByteView& input, Slice& out) override {
        while (give(out) && !input.empty()) {
            if (!cipher_) {
                gather(input, kHeader);
                if (gathered_.size() == kHeader) MUSHER_DO(read_header());
                continue;
            }
            if (gathered_.size() == capacity()) MUSHER_DO(decrypt(false, out));
            if (!more_output()) gather(input, capacity());
        }
        return {};
    }
    Result<bool> finish(Slice& out) override {
        if (!give(out)) return false;
        if (ended_) return true;
        if (!cipher_ || gathered_.size() < kTag) {
            return fail(Errc::corrupt, "the sealed file is truncated",
                        "it was not written to its end");
        }
        ended_ = true;
        MUSHER_DO(decrypt(true, out));
        return give(out);
    }
    Json result() const override { return Json{{"key_id", options_.key.id()}}; }

  private:
    std::size_t capacity() const {
        return options_.segment_bytes - (index_ == 0 ? kHeader : 0);
    }
    Result<void> read_header() {
        const ByteView header = gathered_.view();
        if (header[0] != kHeader) {
            return fail(Errc::corrupt, "not a sealed file: its first byte is wrong");
        }
        cipher_ = std::make_unique<SegmentCipher>(options_, header.subspan(1, kSalt),
                                                  header.last(kPrefix), false);
        gathered_.resize(0);
        return {};
    }
    Result<void> decrypt(bool last, Slice& out) {
        const ByteView sealed = gathered_.view();
        const std::size_t size = sealed.size() - kTag;
        unsigned char* const at = place(out, size);
        if (!cipher_->open(index_, last, sealed, at)) return refuse(last, sealed);
        placed(out, at, size);
        return {};
    }
    /// Tells a cut or continued file from a wrong key or a changed byte.
    Failure refuse(bool last, ByteView sealed) {
        if (cipher_->open(index_, !last, sealed, ready_.data())) {
            return last ? fail(Errc::corrupt,
                               fmt::format("the sealed file is truncated after segment {}", index_),
                               "it was not written to its end")
                        : fail(Errc::corrupt,
                               fmt::format("the sealed file goes on after its last segment {}",
                                           index_));
        }
        if (index_ == 0) {
            return fail(Errc::corrupt,
                        "the first segment does not verify: another key or aad, or a changed file",
                        fmt::format("this key's id is {}", options_.key.id()));
        }
        return fail(Errc::corrupt,
                    fmt::format("segment {} does not verify: it was changed, moved or cut",
                                index_));
    }
    std::unique_ptr<SegmentCipher> cipher_;
};

}  // namespace

std::unique_ptr<Filter> make_seal(const SealOptions& options) {
    return std::make_unique<Seal>(options);
}

std::unique_ptr<Filter> make_unseal(const SealOptions& options) {
    return std::make_unique<Unseal>(options);
}

}  // namespace musher
