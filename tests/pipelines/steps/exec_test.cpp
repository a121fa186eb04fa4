// exec with real programs: input, output, limits, and how each end is reported.
#include "pipelines/steps/exec.h"

#include <gtest/gtest.h>

#include "reactor/base/fd.h"
#include "tests/support/eventually.h"
#include "tests/support/run_loop.h"
#include "tests/support/step_bench.h"

namespace musher {
namespace {

using test::StepBench;

/// `exec` running a shell script, with more options behind it.
std::string shell(const std::string& script, const std::string& more = "") {
    return "argv: [/bin/sh, -c, " + to_line(script) + "]\n" + more;
}

Task<void> inputs(Loop& loop) {
    StepBench bench(loop, exec_spec(), make_exec());
    bench.write_body("line\n");
    bench.env["TOKEN"] = "s3cret";
    const Json argv =
        co_await bench.receipt("argv: [printf, '%s|%s', \"${event.name}\", \"$HOME;id\"]");
    EXPECT_EQ(argv["output"], "a b.txt|$HOME;id") << "no shell, no splitting";
    EXPECT_EQ(argv["exit_code"], 0);
    const Json in = co_await bench.receipt("{ argv: cat, stdin: body }");
    EXPECT_EQ(in["output"], "line\n");
    std::filesystem::rename(bench.body.path, bench.dir / "secret");
    std::filesystem::create_symlink(bench.dir / "secret", bench.body.path);
    const Error link = co_await bench.error("{ argv: cat, stdin: body }");
    EXPECT_EQ(link.text(), bench.body.path + " is a link");
    const Json none = co_await bench.receipt("argv: cat");
    EXPECT_EQ(none["output"], "");
    const Json env = co_await bench.receipt(
        shell("env | cut -d= -f1 | sort | grep -vE '^(PWD|SHLVL|_|PATH|LANG|TZ|OLDPWD)$'; "
              "echo $SECRET",
              "env: { SECRET: \"${env.TOKEN}\", N: 5 }"));
    EXPECT_EQ(env["output"], "N\nSECRET\ns3cret\n") << "declared variables only";
    const Json cwd = co_await bench.receipt(shell("ls -A | wc -l; touch x; pwd"));
    const std::string where = cwd["output"];
    EXPECT_TRUE(where.starts_with("0\n" + bench.dir.path() + "/scratch/step-")) << where;
    co_await bench.close();
}
TEST(Exec, GivesArgumentsInputAndEnvironmentAsTheyAre) { test::on_loop(inputs); }

Task<void> outputs(Loop& loop) {
    StepBench bench(loop, exec_spec(), make_exec());
    bench.write_body("abc");
    const Json discard = co_await bench.receipt("{ argv: [echo, x], stdout: discard }");
    EXPECT_FALSE(discard.contains("output"));
    const Json object = co_await bench.receipt(
        "{ argv: [echo, '{\"pages\": 3, \"exit_code\": 9}'], stdout: json }");
    EXPECT_EQ(object["pages"], 3);
    EXPECT_EQ(object["exit_code"], 9);
    const Json list = co_await bench.receipt("{ argv: [echo, '[1, 2]'], stdout: json }");
    EXPECT_EQ(list["value"].size(), 2u);
    const Error no_json = co_await bench.error("{ argv: [echo, x], stdout: json }");
    EXPECT_EQ(no_json.code, Errc::corrupt);
    const Error long_json = co_await bench.error("{ argv: [seq, '1000000'], stdout: json }");
    EXPECT_EQ(long_json.message, "seq wrote more than 1MiB of JSON");
    for (int round = 0; round < 2; ++round) {
        const Json body =
            co_await bench.receipt("{ argv: [sed, 's/$/!/'], stdin: body, stdout: body }");
        EXPECT_EQ(body["exit_code"], 0);
    }
    EXPECT_EQ(read_small_file(bench.body.path, 100).value(), "abc!!");
    EXPECT_EQ(bench.body.size, 5u);
    EXPECT_EQ(bench.body.sha256, "");
    EXPECT_EQ(read_small_file(bench.dir / "body", 100).value(), "abc") << "the original stays";
    const Json tail = co_await bench.receipt("argv: [seq, '100000']");
    const std::string kept = tail["output"];
    EXPECT_EQ(kept.size(), 65536u);
    EXPECT_TRUE(kept.ends_with("99999\n100000\n"));
    co_await bench.close();
}
TEST(Exec, TakesOutputAsBodyJsonOrLog) { test::on_loop(outputs); }

Task<void> ends(Loop& loop) {
    StepBench bench(loop, exec_spec(), make_exec());
    const Error failed = co_await bench.error(shell("echo one >&2; echo two >&2; exit 3"));
    EXPECT_EQ(failed.code, Errc::failed);
    EXPECT_EQ(failed.text(), "/bin/sh exited with 3: one two");
    const Error loud = co_await bench.error(shell("seq 100000 >&2; exit 1"));
    EXPECT_TRUE(loud.text().ends_with(" 99999 100000"));
    EXPECT_LT(loud.text().size(), 600u);
    const Json fine = co_await bench.receipt(shell("exit 3", "ok_codes: [0, 3]"));
    EXPECT_EQ(fine["exit_code"], 3);
    const Error not_zero = co_await bench.error(shell("exit 0", "ok_codes: [3]"));
    EXPECT_EQ(not_zero.message, "/bin/sh exited with 0");
    const Error killed = co_await bench.error(shell("kill -SEGV $$"));
    EXPECT_EQ(killed.code, Errc::failed);
    EXPECT_EQ(killed.message, "/bin/sh was killed by SIGSEGV");
    const Error late =
        co_await bench.error(shell("echo waiting >&2; tail -f /dev/null", "timeout: 200ms"));
    EXPECT_EQ(late.code, Errc::timeout);
    EXPECT_EQ(late.message, "/bin/sh was stopped after 200ms: waiting");
    const Error missing = co_await bench.error("argv: [no-such-program-here]");
    EXPECT_EQ(missing.code, Errc::not_found);
    const Error cpu = co_await bench.error(shell("while :; do :; done", "limits: { cpu: 1s }"));
    EXPECT_EQ(cpu.code, Errc::failed);
    const Error size = co_await bench.error(
        shell("head -c 2000000 /dev/zero > big", "limits: { file_size: 1MiB }"));
    EXPECT_EQ(size.code, Errc::failed);
    co_await bench.close();
}
TEST(Exec, ReportsHowTheProgramEnded) { test::on_loop(ends); }

Task<void> wrong(Loop& loop) {
    StepBench bench(loop, exec_spec(), make_exec());
    const std::pair<const char*, const char*> kWrong[] = {
        {"{ argv: [] }", "`argv` names no program"},
        {"{ argv: [\"${event.siez}\"] }",
         "option argv: bench.yml:1:13: unknown field event.siez in `event.siez`"},
        {"{ argv: cat, stdin: body }", "this job carries no file"},
        {"{ argv: cat, ok_codes: [256] }",
         "`ok_codes` wants exit codes from 0 to 255, found `256`"},
        {"{ argv: cat, limits: { memory: lots } }",
         "`memory` wants a size such as 10MiB, found `lots`"},
        {"{ argv: cat, limits: { disk: 1 } }", "limits has no option `disk`"},
        {"{ argv: [cat, \"a${'\\0'}b\"] }", "`argv` holds a NUL byte"},
        {"{ argv: \"${'\\0'}b\" }", "`argv` holds a NUL byte"},
    };
    for (const auto& [yaml, expected] : kWrong) {
        const Error error = co_await bench.error(yaml);
        EXPECT_EQ(error.text(), expected);
        EXPECT_EQ(error.code, Errc::usage) << yaml;
    }
    co_await bench.close();
}
TEST(Exec, RefusesWhatCannotBe) { test::on_loop(wrong); }

Task<void> run_into(StepBench& bench, std::string yaml, Error& error) {
    error = co_await bench.error(std::move(yaml));
}
Task<void> cancelled(Loop& loop) {
    StepBench bench(loop, exec_spec(), make_exec());
    const std::string mark = bench.dir / "started";
    Error error;
    Scope scope("test", loop.ready(), loop.clock());
    scope.spawn("exec", run_into(bench, shell("touch " + mark + "; tail -f /dev/null"), error));
    auto started = [&] { return std::filesystem::exists(mark); };
    co_await test::eventually(loop, started);
    bench.cancel.request();
    co_await scope.join();
    EXPECT_EQ(error.code, Errc::cancelled);
    co_await bench.close();
}
TEST(Exec, ACancelEndsTheProgram) { test::on_loop(cancelled); }

}  // namespace
}  // namespace musher
