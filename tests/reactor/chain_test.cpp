// A chain of filters over files: every length, bounded memory, cancel, and what is left on errors.
#include "reactor/filters/chain.h"

#include <gtest/gtest.h>

#include <fstream>

#include "reactor/base/limits.h"
#include "reactor/filters/digest.h"
#include "reactor/filters/seal.h"
#include "reactor/filters/xz.h"
#include "tests/support/run_loop.h"
#include "tests/support/sanitized.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tree.h"

namespace musher {
namespace {

using Filters = std::vector<std::unique_ptr<Filter>>;
using test::file_text;

constexpr std::size_t kSlice = limits::kSliceBytes;

/// Passes everything on, and checks what it is given.
class Gauge final : public Filter {
  public:
    std::string_view name() const override { return "gauge"; }
    Result<void> push(ByteView& input, Slice& out) override {
        EXPECT_LE(input.size(), kSlice);
        EXPECT_LE(out.capacity(), kSlice);
        EXPECT_GT(out.room(), 0u);
        const std::size_t size = std::min(input.size(), out.room());
        std::copy_n(input.begin(), size, out.tail());
        out.resize(out.size() + size);
        input = input.subspan(size);
        return {};
    }
    Result<bool> finish(Slice&) override { return true; }
};
/// Gives each byte `times` times: more output than input, in pieces.
class Swell final : public Filter {
  public:
    explicit Swell(std::size_t times) : times_(times) {}
    std::string_view name() const override { return "swell"; }
    Result<void> push(ByteView& input, Slice& out) override {
        while (out.room() > 0 && more(input)) {
            if (left_ == 0) {
                byte_ = input[0];
                input = input.subspan(1);
                left_ = times_;
            }
            const std::size_t size = std::min(left_, out.room());
            std::fill_n(out.tail(), size, byte_);
            out.resize(out.size() + size);
            left_ -= size;
        }
        return {};
    }
    Result<bool> finish(Slice&) override { return true; }
    bool more_output() const override { return left_ > 0; }

  private:
    bool more(const ByteView& input) const { return left_ > 0 || !input.empty(); }
    std::size_t times_;
    std::size_t left_ = 0;
    unsigned char byte_ = 0;
};
/// Fails after so many bytes.
class Fails final : public Filter {
  public:
    explicit Fails(std::size_t after) : left_(after) {}
    std::string_view name() const override { return "fails"; }
    Result<void> push(ByteView& input, Slice& out) override {
        const std::size_t size = std::min({input.size(), out.room(), left_});
        if (size == 0) return fail(Errc::corrupt, "enough");
        out.resize(out.size() + size);
        left_ -= size;
        input = input.subspan(size);
        return {};
    }
    Result<bool> finish(Slice&) override { return fail(Errc::corrupt, "the end is missing"); }

  private:
    std::size_t left_;
};

SealOptions key() { return SealOptions{Key::parse(std::string(64, 'a')).value(), "aad"}; }
void add_way_there(Filters& filters) {
    filters.push_back(make_xz_encoder(XzEncodeOptions{.level = 0}).value());
    filters.push_back(make_seal(key()));
}
void add_way_back(Filters& filters) {
    filters.push_back(make_unseal(key()));
    filters.push_back(make_xz_decoder(XzDecodeOptions{}).value());
}
std::string sha256(const std::string& text) {
    Digest digest(DigestKind::sha256);
    digest.update(as_bytes(text));
    return digest.hex();
}

struct Bench {
    std::string in() const { return dir / "in"; }
    std::string out() const { return dir / "out"; }
    void put(const std::string& text) const { std::ofstream(in(), std::ios::binary) << text; }
    test::TempDir dir;
    Cancel cancel;
};

Task<void> passes(Loop& loop, Bench& bench, Filters& filters, const std::string& text) {
    bench.put(text);
    Chain chain(loop, filters);
    const Result<ChainResult> made =
        co_await chain.file_to_file(bench.in(), bench.out(), bench.cancel);
    EXPECT_TRUE(made.has_value()) << made.error().text();
    if (!made) co_return;
    EXPECT_TRUE(file_text(bench.out()) == text) << text.size();
    EXPECT_EQ(made->bytes_in, text.size());
    EXPECT_EQ(made->bytes_out, text.size());
    EXPECT_EQ(made->sha256_out, sha256(text));
}
TEST(Chain, EveryLengthComesThroughEveryChain) {
    Bench bench;
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, kSlice - 1, kSlice, kSlice + 1,
                                   2 * kSlice, 5 * kSlice + 12345}) {
        std::string text(size, '\0');
        for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 2654435761u >> 13);
        const std::string& content = text;
        Filters none;
        test::on_loop(passes, bench, none, content);
        Filters gauges;
        for (int i = 0; i < 3; ++i) gauges.push_back(std::make_unique<Gauge>());
        test::on_loop(passes, bench, gauges, content);
        Filters there_and_back;
        add_way_there(there_and_back);
        there_and_back.push_back(std::make_unique<Gauge>());
        add_way_back(there_and_back);
        test::on_loop(passes, bench, there_and_back, content);
    }
}

Task<void> digests(Loop& loop, Bench& bench) {
    bench.put("abc");
    Filters filters;
    filters.push_back(make_digest(DigestKind::md5));
    filters.push_back(std::make_unique<Swell>(3 * kSlice));
    filters.push_back(make_digest(DigestKind::sha1));
    Chain chain(loop, filters);
    std::vector<std::uint64_t> progress;
    chain.on_progress([&progress](std::uint64_t bytes) { progress.push_back(bytes); });
    const Result<ChainResult> made =
        co_await chain.file_to_file(bench.in(), bench.out(), bench.cancel);
    EXPECT_EQ(made->bytes_in, 3u);
    EXPECT_EQ(made->bytes_out, 9 * kSlice);
    EXPECT_TRUE(std::is_sorted(progress.begin(), progress.end()));
    EXPECT_EQ(progress.empty() ? 0 : progress.back(), 3u);
    EXPECT_EQ(filters[0]->result()["md5"], "900150983cd24fb0d6963f7d28e17f72");
    EXPECT_EQ(filters[2]->result()["bytes"], 9 * kSlice);
}
TEST(Chain, OutputMayBeMuchMoreThanInput) {
    Bench bench;
    test::on_loop(digests, bench);
    const std::string third(3 * kSlice, 'a');
    EXPECT_TRUE(file_text(bench.out()).starts_with(third));
}

/// KiB, "VmHWM" or "VmRSS".
long memory(const std::string& field) {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with(field + ":")) return std::atol(line.c_str() + field.size() + 1);
    }
    return 0;
}
Task<void> large(Loop& loop, Bench& bench) {
    const Result<Fd> in = Fd::open(bench.in(), O_RDWR | O_CREAT);
    constexpr std::uint64_t kSize = 400ull << 20;
    EXPECT_EQ(::ftruncate(in->get(), kSize), 0);
    const Result<Fd> out = Fd::open("/dev/null", O_WRONLY);
    Filters filters;
    for (int i = 0; i < 4; ++i) filters.push_back(std::make_unique<Gauge>());
    filters.push_back(make_seal(key()));
    Chain chain(loop, filters);
    std::ofstream("/proc/self/clear_refs") << "5";  // the high-water mark starts again
    const long before = memory("VmRSS");
    const Result<ChainResult> made = co_await chain.run(*in, *out, bench.cancel);
    EXPECT_EQ(made->bytes_in, kSize);
    EXPECT_LT(memory("VmHWM") - before, (24 << 10) * test::kShadow)
        << "KiB for 400 MiB through five filters";
}
TEST(Chain, AHugeFileTakesLittleMemory) {
    Bench bench;
    test::on_loop(large, bench);
}

struct Failure {
    Errc code;
    std::string in;
    std::string out;
    Filters filters;
};
Task<void> fails(Loop& loop, Bench& bench, Failure& expected) {
    Chain chain(loop, expected.filters);
    const Result<ChainResult> made =
        co_await chain.file_to_file(expected.in, expected.out, bench.cancel);
    EXPECT_FALSE(made.has_value());
    const Errc code = made ? Errc::internal : made.error().code;
    EXPECT_EQ(info(code).name, info(expected.code).name);
}
TEST(Chain, AFaultLeavesNoOutput) {
    Bench bench;
    bench.put(std::string(3 * kSlice, 'x'));
    Failure missing{Errc::not_found, bench.dir / "none", bench.out(), {}};
    Failure folder{Errc::usage, bench.dir.path(), bench.out(), {}};
    Failure no_place{Errc::not_found, bench.in(), bench.dir / "none/out", {}};
    test::on_loop(fails, bench, missing);
    test::on_loop(fails, bench, folder);
    test::on_loop(fails, bench, no_place);
    for (const std::size_t after : {std::size_t{0}, kSlice, 3 * kSlice}) {
        Failure filter{Errc::corrupt, bench.in(), bench.out(), {}};
        filter.filters.push_back(std::make_unique<Gauge>());
        filter.filters.push_back(std::make_unique<Fails>(after));
        filter.filters.push_back(make_digest(DigestKind::sha256));
        test::on_loop(fails, bench, filter);
    }
    EXPECT_FALSE(std::filesystem::exists(bench.out()));
}

Task<void> full(Loop& loop, Bench& bench) {
    bench.put(std::string(3 * kSlice, 'x'));
    const Result<Fd> in = Fd::open(bench.in(), O_RDONLY);
    const Result<Fd> out = Fd::open("/dev/full", O_WRONLY);
    Filters none;
    Chain chain(loop, none);
    const Result<ChainResult> made = co_await chain.run(*in, *out, bench.cancel);
    EXPECT_EQ(made.error().code, Errc::full);
}
TEST(Chain, AFullDiskIsFull) {
    Bench bench;
    test::on_loop(full, bench);
}

Task<void> cancelled(Loop& loop, Bench& bench) {
    bench.put(std::string(20 * kSlice, 'x'));
    Filters none;
    Chain chain(loop, none);
    std::uint64_t read = 0;
    chain.on_progress([&](std::uint64_t bytes) {
        read = bytes;
        if (bytes >= 3 * kSlice) bench.cancel.request();
    });
    const Result<ChainResult> made =
        co_await chain.file_to_file(bench.in(), bench.out(), bench.cancel);
    EXPECT_EQ(made.error().code, Errc::cancelled);
    EXPECT_LE(read, 4 * kSlice) << "it is heard between slices";
    EXPECT_FALSE(std::filesystem::exists(bench.out()));
}
TEST(Chain, ACancelIsHeardBetweenSlices) {
    Bench bench;
    test::on_loop(cancelled, bench);
}

}  // namespace
}  // namespace musher
