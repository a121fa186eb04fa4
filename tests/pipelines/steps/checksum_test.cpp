// checksum against the real programs, and what a wrong digest means.
#include "pipelines/steps/checksum.h"

#include <gtest/gtest.h>

#include "reactor/base/fd.h"
#include "tests/support/run_loop.h"
#include "tests/support/step_bench.h"

namespace musher {
namespace {

using test::StepBench;

/// What `sha256sum` and its like say of a file.
std::string said_by(const std::string& program, const std::string& path) {
    const std::string out = path + ".sum";
    EXPECT_EQ(std::system((program + " < " + path + " > " + out).c_str()), 0);
    const std::string text = read_small_file(out, 4096).value_or("");
    return text.substr(0, text.find(' '));
}

Task<void> algorithms(Loop& loop) {
    StepBench bench(loop, checksum_spec(), make_checksum());
    for (const std::size_t size : {0u, 1u, (1u << 20) - 1, 1u << 20, 3'000'000u}) {
        bench.write_body(std::string(size, 'x'));
        for (const std::string name : {"sha256", "sha1", "md5"}) {
            const Json got = co_await bench.receipt("algorithm: " + name);
            const std::string expected = said_by(name + "sum", bench.body.path);
            EXPECT_EQ(got["hex"], expected) << name << " of " << size;
            EXPECT_EQ(got[name], expected);
        }
    }
    const Json fallback = co_await bench.receipt("{}");
    EXPECT_EQ(fallback["hex"], bench.body.sha256) << "sinks need not compute it again";
    co_await bench.close();
}
TEST(Checksum, SaysWhatTheProgramsSay) { test::on_loop(algorithms); }

Task<void> expectations(Loop& loop) {
    StepBench bench(loop, checksum_spec(), make_checksum());
    bench.write_body("abc");
    const Json right =
        co_await bench.receipt("{ algorithm: md5, expect: 900150983CD24FB0D6963F7D28E17F72 }");
    EXPECT_EQ(right["md5"], "900150983cd24fb0d6963f7d28e17f72");
    EXPECT_EQ(bench.body.sha256, "");
    const Error wrong = co_await bench.error("expect: beef");
    EXPECT_EQ(wrong.code, Errc::corrupt);
    EXPECT_FALSE(info(wrong.code).retryable) << "the job is dead at once";
    EXPECT_TRUE(wrong.message.ends_with(", expected beef")) << wrong.message;
    const Error unknown = co_await bench.error("algorithm: crc32");
    EXPECT_EQ(unknown.code, Errc::usage);
    bench.body.path = bench.dir / "none";
    const Error missing = co_await bench.error("{}");
    EXPECT_EQ(missing.code, Errc::not_found);
    bench.body.path = "";
    const Error bodiless = co_await bench.error("{}");
    EXPECT_EQ(bodiless.code, Errc::usage) << bodiless.text();
    bench.write_body(std::string(3'000'000, 'x'));
    bench.cancel.request();
    const Error stopped = co_await bench.error("{}");
    EXPECT_EQ(stopped.code, Errc::cancelled);
    co_await bench.close();
}
TEST(Checksum, AnotherDigestEndsTheJob) { test::on_loop(expectations); }

}  // namespace
}  // namespace musher
