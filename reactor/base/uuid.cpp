#include "reactor/base/uuid.h"

#include <sys/random.h>

#include <array>
#include <cstring>
#include <span>

#include "reactor/base/check.h"
#include "reactor/base/digest.h"
#include "reactor/base/text.h"

namespace musher {

namespace {
using Raw = std::array<unsigned char, 16>;

std::string dashed(Raw raw, unsigned char version) {
    raw[6] = static_cast<unsigned char>((raw[6] & 0x0f) | (version << 4));
    raw[8] = static_cast<unsigned char>((raw[8] & 0x3f) | 0x80);
    std::string text = to_hex(raw);
    for (const std::size_t at : {8u, 13u, 18u, 23u}) text.insert(at, 1, '-');
    return text;
}
}  // namespace

std::string new_uuid7(std::int64_t wall_ms) {
    // 4 KiB of randomness per system call: an id is made for every file.
    thread_local std::array<unsigned char, 4000> pool;
    thread_local std::size_t used = pool.size();
    constexpr std::size_t kRandomBytes = 10;
    if (used + kRandomBytes > pool.size()) {
        std::size_t filled = 0;
        while (filled < pool.size()) {
            const ssize_t got = getrandom(pool.data() + filled, pool.size() - filled, 0);
            if (got > 0) filled += static_cast<std::size_t>(got);
        }
        used = 0;
    }
    Raw raw{};
    for (int i = 0; i < 6; ++i) {
        raw[static_cast<std::size_t>(i)] = static_cast<unsigned char>(wall_ms >> (40 - 8 * i));
    }
    std::memcpy(raw.data() + 6, pool.data() + used, kRandomBytes);
    used += kRandomBytes;
    return dashed(raw, 7);
}

std::string uuid_of(std::string_view text) {
    Digest digest(DigestKind::sha256);
    digest.update(as_bytes(text));
    Raw raw{};
    std::memcpy(raw.data(), digest.bytes().data(), raw.size());
    return dashed(raw, 8);
}

bool is_uuid(std::string_view text) noexcept {
    if (text.size() != 36) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        const char c = text[i];
        const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
        if (dash ? c != '-' : !hex) return false;
    }
    return true;
}

}  // namespace musher
