// log: what a line holds, and that its level is honoured.
#include "pipelines/steps/log.h"

#include <gtest/gtest.h>

#include "reactor/base/fd.h"
#include "reactor/base/log.h"
#include "tests/support/run_loop.h"
#include "tests/support/step_bench.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tree.h"

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

TEST(Log, GivesATerminalNothingToObey) {
    const test::TempDir dir;
    const std::string file = dir / "musher.log";
    ASSERT_TRUE(log::open(file, log::Level::info).has_value());
    constexpr std::pair<const char*, const char*> kTexts[] = {
        {"caf\xc3\xa9", "caf\xc3\xa9"},
        {"a=b", "\"a=b\""},
        {"\x1b]0;PWNED\x07", "\"\\u001b]0;PWNED\\u0007\""},
        {"a\x7f", "\"a\\u007f\""},
        {"a \x7f", "\"a \\u007f\""},
        {"\xc2\x9b\x33m", "\"\\u009b3m\""},
        {"RED\xff", "\"RED\xef\xbf\xbd\""},
    };
    std::string wanted;
    for (const auto& [text, shown] : kTexts) {
        log::info("said", Json{{"line", text}});
        wanted += std::string("said line=") + shown + "\n";
    }
    ASSERT_TRUE(log::open("stderr", log::Level::info).has_value());
    std::string said;
    for (const std::string& line : test::lines_of(read_small_file(file, 4096).value())) {
        said += line.substr(line.find("said")) + "\n";
    }
    EXPECT_EQ(said, wanted);
}

TEST(Log, RenamesAFullFile) {
    const test::TempDir dir;
    const std::string file = dir / "musher.log";
    ASSERT_TRUE(log::open(file, log::Level::info).has_value());
    const Json fields{{"text", std::string(1 << 20, 'x')}};
    for (int line = 0; line < 16; ++line) log::info("line", fields);
    ASSERT_TRUE(log::open("stderr", log::Level::info).has_value());
    EXPECT_LE(std::filesystem::file_size(file), 15U << 20);
    EXPECT_GT(std::filesystem::file_size(dir / "musher.1.log"), 14U << 20);
}

}  // namespace
}  // namespace musher
