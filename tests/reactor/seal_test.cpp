// seal and unseal against Tink's bytes and every kind of damage.
#include <gtest/gtest.h>

#include "reactor/base/digest.h"
#include "reactor/base/text.h"
#include "reactor/filters/seal.h"
#include "tests/support/filter_drive.h"

namespace musher {
namespace {

using test::drive;
using test::pattern;

Key key_from(unsigned char first) {
    std::string raw(32, '\0');
    for (std::size_t i = 0; i < 32; ++i) raw[i] = static_cast<char>(first + i);
    return Key::parse(raw).value();
}

/// The known-answer tests: key 00..1f, salt 20..3f, nonce prefix 40..46, aad "musher-kat".
SealOptions kat(std::size_t segment_bytes) {
    std::string header;
    for (int i = 0x20; i <= 0x46; ++i) header += static_cast<char>(i);
    return SealOptions{key_from(0), "musher-kat", segment_bytes, header};
}

std::string sealed(const SealOptions& options, const std::string& text) {
    return drive(*make_seal(options), text, 1 << 20, 1 << 20).value();
}

std::string sha256(const std::string& text) {
    Digest digest(DigestKind::sha256);
    digest.update(as_bytes(text));
    return digest.hex();
}

TEST(Seal, WritesTheBytesOfTink) {
    EXPECT_EQ(to_hex(as_bytes(sealed(kat(4096), ""))),
              "28202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f4041424344454689d7"
              "00a39447b1ded39344ab7eecd038");
    EXPECT_EQ(sha256(sealed(kat(128), pattern(72))),
              "6d7e5e4d32022503790c4d8222280f9b851a261c4d79dd4f2e0e9563d0be24df");
    EXPECT_EQ(sha256(sealed(kat(128), pattern(73))),
              "5700ff428492d1712520487839a04d50fb4fa47b70e8785b42266f040faa9618");
    EXPECT_EQ(sha256(sealed(kat(128), pattern(200))),
              "085d60166f9f38ed9fe1c3a66a270cf3b62ea3558936b53c7b4916901f78f94f");
}

TEST(Seal, RoundTripsInEverySplit) {
    const SealOptions options{key_from(1), "aad", 128};
    for (const std::size_t size : {0u, 1u, 71u, 72u, 73u, 183u, 184u, 185u, 1000u}) {
        const std::string text = pattern(size);
        for (const std::size_t step : {1u, 7u, 128u, 4096u}) {
            const auto file = drive(*make_seal(options), text, step, step);
            ASSERT_TRUE(file.has_value());
            const auto back = drive(*make_unseal(options), *file, step, step);
            ASSERT_TRUE(back.has_value()) << back.error().text();
            EXPECT_EQ(*back, text) << size << " bytes in steps of " << step;
        }
    }
}

TEST(Unseal, FindsEveryTruncation) {
    const SealOptions options{key_from(1), "", 128};
    const std::string file = sealed(options, pattern(400));
    for (std::size_t size = 0; size < file.size(); ++size) {
        const auto back = drive(*make_unseal(options), file.substr(0, size), 4096, 4096);
        ASSERT_FALSE(back.has_value()) << size;
        EXPECT_EQ(back.error().code, Errc::corrupt);
    }
    const auto at_boundary = drive(*make_unseal(options), file.substr(0, 256), 4096, 4096);
    EXPECT_EQ(at_boundary.error().message, "the sealed file is truncated after segment 1");
}

TEST(Unseal, FindsEveryChangedByte) {
    const SealOptions options{key_from(1), "", 128};
    const std::string file = sealed(options, pattern(300));
    for (std::size_t at = 0; at < file.size(); ++at) {
        std::string changed = file;
        changed[at] = static_cast<char>(changed[at] ^ 1);
        EXPECT_FALSE(drive(*make_unseal(options), changed, 4096, 4096).has_value()) << at;
    }
}

TEST(Unseal, FindsMovedAddedAndForeignSegments) {
    const SealOptions options{key_from(1), "", 128};
    const std::string file = sealed(options, pattern(500));
    const std::string swapped =
        file.substr(0, 128) + file.substr(256, 128) + file.substr(128, 128) + file.substr(384);
    EXPECT_FALSE(drive(*make_unseal(options), swapped, 4096, 4096).has_value());
    const std::string doubled = file.substr(0, 256) + file.substr(128);
    EXPECT_FALSE(drive(*make_unseal(options), doubled, 4096, 4096).has_value());
    std::string longer_by_one = file;
    longer_by_one += 'x';
    EXPECT_FALSE(drive(*make_unseal(options), longer_by_one, 4096, 4096).has_value());
    const std::string full = sealed(options, pattern(72));
    const auto longer = drive(*make_unseal(options), full + full, 4096, 4096);
    EXPECT_EQ(longer.error().message, "the sealed file goes on after its last segment 0");
    const auto other = drive(*make_unseal(SealOptions{key_from(2), "", 128}), file, 4096, 4096);
    EXPECT_EQ(other.error().message,
              "the first segment does not verify: another key or aad, or a changed file");
    const auto aad = drive(*make_unseal(SealOptions{key_from(1), "x", 128}), file, 4096, 4096);
    EXPECT_FALSE(aad.has_value());
}

TEST(Unseal, GivesNothingOutBeforeItsTag) {
    const SealOptions options{key_from(1), "", 1 << 20};
    std::string file = sealed(options, pattern(1000));
    file.back() = static_cast<char>(file.back() ^ 1);
    const auto filter = make_unseal(options);
    Slice out(4096);
    ByteView view = as_bytes(file);
    ASSERT_TRUE(filter->push(view, out).has_value());
    EXPECT_TRUE(out.empty());
    EXPECT_FALSE(filter->finish(out).has_value());
    EXPECT_TRUE(out.empty());
}

TEST(Key, ComesFromRawBytesOrHex) {
    const std::string raw(32, 'x');
    EXPECT_EQ(Key::parse(raw).value().id(), Key::parse(raw + "\n").value().id());
    EXPECT_EQ(Key::parse(std::string(64, 'a')).value().bytes()[0], 0xaa);
    EXPECT_EQ(Key::parse("short").error().code, Errc::usage);
    EXPECT_EQ(Key::parse(std::string(64, 'z')).error().code, Errc::usage);
}

}  // namespace
}  // namespace musher
