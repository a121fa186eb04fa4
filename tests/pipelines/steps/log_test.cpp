// log: what a line holds, and that its level is honoured.
#include "pipelines/steps/log.h"

#include <gtest/gtest.h>

#include "reactor/base/fd.h"
#include "reactor/base/log.h"
#include "tests/support/run_loop.h"
#include "tests/support/step_bench.h"

namespace musher {
namespace {

Task<void> lines(Loop& loop) {
    test::StepBench bench(loop, log_spec(), make_log());
    const std::string file = bench.dir / "log";
    EXPECT_TRUE(log::open(file, log::Level::info).has_value());
    const Json said = co_await bench.receipt("{ message: \"got ${event.name}\", level: warning }");
    EXPECT_EQ(said, Json::object());
    const Json unsaid = co_await bench.receipt("{ message: hidden, level: debug }");
    EXPECT_EQ(unsaid, Json::object());
    EXPECT_TRUE(log::open("stderr", log::Level::info).has_value());
    const std::string text = read_small_file(file, 4096).value();
    for (const char* part : {"job.log", "got a b.txt", "0190-job", "bench"}) {
        EXPECT_NE(text.find(part), std::string::npos) << part << " in " << text;
    }
    EXPECT_EQ(text.find("hidden"), std::string::npos);
    co_await bench.close();
}
TEST(Log, SaysWhichJobSpeaks) { test::on_loop(lines); }

}  // namespace
}  // namespace musher
