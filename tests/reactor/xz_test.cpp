// xz filters against liblzma's rules and the real xz program.
#include "reactor/filters/xz.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <random>

#include "reactor/base/fd.h"
#include "tests/support/filter_drive.h"
#include "tests/support/temp_dir.h"

namespace musher {
namespace {

using test::drive;

std::string words(std::size_t size) {
    std::mt19937 random(7);
    std::string text;
    while (text.size() < size) text += "word" + std::to_string(random() % 1000) + ' ';
    return text.substr(0, size);
}
std::unique_ptr<Filter> encoder() { return make_xz_encoder(XzEncodeOptions{.level = 1}).value(); }
std::unique_ptr<Filter> decoder() { return make_xz_decoder(XzDecodeOptions{}).value(); }

TEST(Xz, RoundTripsInEverySplit) {
    for (const std::size_t size : {0u, 1u, 4095u, 20'000u}) {
        const std::string text = words(size);
        for (const std::size_t step : {1u, 100u, 1u << 20}) {
            const auto packed = drive(*encoder(), text, step, step);
            ASSERT_TRUE(packed.has_value());
            const auto back = drive(*decoder(), *packed, step, step);
            ASSERT_TRUE(back.has_value()) << back.error().text();
            EXPECT_EQ(*back, text);
        }
    }
}

TEST(Xz, TheRealProgramReadsAndWritesTheSame) {
    const test::TempDir dir;
    const std::string text = words(3'000'000);
    const std::string packed = drive(*encoder(), text, 1 << 20, 1 << 20).value();
    std::ofstream(dir.path() + "/a.xz") << packed;
    ASSERT_EQ(std::system(("xz -dc " + dir.path() + "/a.xz > " + dir.path() + "/a").c_str()), 0);
    EXPECT_EQ(read_small_file(dir.path() + "/a", 10 << 20).value(), text);
    ASSERT_EQ(
        std::system(
            ("cd " + dir.path() + " && xz -T2 -1 -k a -c > b.xz && cat b.xz b.xz > c.xz").c_str()),
        0);
    const std::string twice = read_small_file(dir.path() + "/c.xz", 10 << 20).value();
    EXPECT_EQ(drive(*decoder(), twice, 1 << 20, 1 << 20).value(), text + text);
}

TEST(Xz, DamageIsCorruptAndSaysWhat) {
    const std::string packed = drive(*encoder(), words(50'000), 1 << 20, 1 << 20).value();
    for (const std::size_t size : {std::size_t{1}, packed.size() / 2, packed.size() - 1}) {
        const auto cut = drive(*decoder(), packed.substr(0, size), 1 << 20, 1 << 20);
        ASSERT_FALSE(cut.has_value()) << size;
        EXPECT_EQ(cut.error().code, Errc::corrupt);
        EXPECT_NE(cut.error().message.find("truncated"), std::string::npos);
    }
    std::string changed = packed;
    changed[changed.size() / 2] = static_cast<char>(changed[changed.size() / 2] ^ 0x55);
    EXPECT_EQ(drive(*decoder(), changed, 1 << 20, 1 << 20).error().code, Errc::corrupt);
    EXPECT_EQ(drive(*decoder(), packed + "tail", 1 << 20, 1 << 20).error().code, Errc::corrupt);
    const auto other = drive(*decoder(), "this is plain text", 1 << 20, 1 << 20);
    EXPECT_EQ(other.error().message, "not an .xz file");
    const auto tight = make_xz_decoder(XzDecodeOptions{.memory_limit = 1 << 20, .threads = 1});
    const auto refused = drive(**tight, packed, 1 << 20, 1 << 20);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().message,
              ".xz data needs 2MiB of memory to expand, and the limit is 1MiB");
    EXPECT_EQ(refused.error().hint, "raise `memory_limit` to 2MiB");
}

TEST(Xz, TellsTheMemoryThatABodyNeeds) {
    const auto pack = make_xz_encoder(XzEncodeOptions{.level = 6});
    const std::string packed = drive(**pack, words(50'000), 1 << 20, 1 << 20).value();
    const auto tight = make_xz_decoder(XzDecodeOptions{.memory_limit = 8 << 20, .threads = 1});
    const auto bytewise = drive(**tight, packed, 1, 1 << 20);
    EXPECT_EQ(bytewise.error().hint, "raise `memory_limit` to 9MiB") << "byte by byte";
    const auto enough = make_xz_decoder(XzDecodeOptions{.memory_limit = 9 << 20, .threads = 1});
    EXPECT_TRUE(drive(**enough, packed, 1 << 20, 1 << 20).has_value()) << "the figure was too low";
    const std::string small =
        drive(**make_xz_encoder(XzEncodeOptions{.level = 0}), "small", 1 << 20, 1 << 20).value();
    const auto later = make_xz_decoder(XzDecodeOptions{.memory_limit = 1 << 20, .threads = 1});
    EXPECT_EQ(drive(**later, small + packed, 1 << 20, 1 << 20).error().hint, "raise `memory_limit`")
        << "of a second stream nobody knows the need";
}

}  // namespace
}  // namespace musher
