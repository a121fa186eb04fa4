// Child processes: exits, limits, output, groups, cancel; nothing is left behind.
#include "reactor/loop/child.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <csignal>

#include "tests/support/run_loop.h"
#include "tests/support/temp_dir.h"

namespace musher {
namespace {

using test::TempDir;

ChildSpec shell(std::string script) {
    ChildSpec spec;
    spec.argv = {"/bin/sh", "-c", std::move(script)};
    spec.out = ChildOutput::capture(4096);
    spec.err = ChildOutput::capture(4096);
    return spec;
}

Task<void> run_into(Loop& loop, const ChildSpec& spec, Result<ChildExit>& into) {
    Cancel never;
    into = co_await run_child(loop, spec, never);
}

/// Runs it on a loop of its own; no child may be left, not even as a zombie.
Result<ChildExit> run(const ChildSpec& spec) {
    Result<ChildExit> result = fail(Errc::internal, "did not run");
    test::on_loop(run_into, spec, result);
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
    EXPECT_EQ(errno, ECHILD);
    return result;
}

bool alive(pid_t pid) { return ::kill(pid, 0) == 0; }

TEST(Child, ReportsExitCodes) {
    const Result<ChildExit> ended = run(shell("exit 3"));
    EXPECT_EQ(ended->code, 3);
    EXPECT_EQ(ended->text(), "exited with 3");
    EXPECT_FALSE(ended->ok());
    EXPECT_TRUE(run(shell("true"))->ok());
}

TEST(Child, ReportsSignals) {
    const Result<ChildExit> ended = run(shell("kill -SEGV $$"));
    EXPECT_EQ(ended->signal, SIGSEGV);
    EXPECT_EQ(ended->text(), "was killed by SIGSEGV");
}

TEST(Child, KeepsTheEndOfLongOutputWhenAsked) {
    ChildSpec spec = shell("seq 100000; seq 100000 >&2");
    spec.out = ChildOutput::capture_last(14);
    spec.err = ChildOutput::capture(3);
    const Result<ChildExit> ended = run(spec);
    EXPECT_EQ(ended->out, "\n99999\n100000\n");
    EXPECT_TRUE(ended->out_truncated);
    EXPECT_EQ(ended->err, "1\n2");
    spec.argv[2] = "echo short";
    EXPECT_EQ(run(spec)->out, "short\n");
}

TEST(Child, GetsAndGivesBytes) {
    ChildSpec spec = shell("cat; echo oops >&2");
    spec.stdin_bytes.emplace(100'000, 'x');
    (*spec.stdin_bytes)[1] = '\0';
    spec.out = ChildOutput::capture(1 << 20);
    const Result<ChildExit> ended = run(spec);
    EXPECT_EQ(ended->out, *spec.stdin_bytes);
    EXPECT_EQ(ended->err, "oops\n");
    EXPECT_FALSE(ended->out_truncated);
}

TEST(Child, ReadsAndWritesFiles) {
    const TempDir dir;
    ChildSpec spec = shell("tr a-z A-Z");
    EXPECT_TRUE(run(shell("printf hello >" + (dir / "in")))->ok());
    const Result<Fd> in = Fd::open(dir / "in", O_RDONLY);
    spec.stdin_fd = in->get();
    spec.out = ChildOutput::file(dir / "out");
    EXPECT_TRUE(run(spec)->ok());
    EXPECT_EQ(*read_small_file(dir / "out", 100), "HELLO");
}

TEST(Child, DropsOutputOverTheCap) {
    ChildSpec spec = shell("head -c 10000000 /dev/zero | tr '\\0' x; echo end >&2");
    spec.out = ChildOutput::capture(1000);
    const Result<ChildExit> ended = run(spec);
    EXPECT_TRUE(ended->ok());
    EXPECT_EQ(ended->out, std::string(1000, 'x'));
    EXPECT_TRUE(ended->out_truncated);
    EXPECT_EQ(ended->err, "end\n");
    EXPECT_FALSE(ended->err_truncated);
}

TEST(Child, NamesWhatCannotBeHad) {
    ChildSpec spec = shell("");
    spec.argv = {"no-such-program"};
    EXPECT_EQ(run(spec).error().code, Errc::not_found);
    EXPECT_EQ(run(spec).error().text(), "starting no-such-program: No such file or directory");
    EXPECT_EQ(run(spec).error().hint, "install the program, or give its full path");
    spec.argv = {"/etc/passwd"};
    EXPECT_EQ(run(spec).error().code, Errc::denied);
    spec = shell("");
    spec.cwd = "/no/such/dir";
    EXPECT_EQ(run(spec).error().text(), "entering /no/such/dir: No such file or directory");
}

TEST(Child, LooksThroughThePathOfItsEnvironment) {
    const TempDir dir;
    EXPECT_TRUE(run(shell("mkdir -m 0 " + (dir / "shut") + "; mkdir " + (dir / "a") + " " +
                          (dir / "b") + "; ln -s /bin/true " + (dir / "b/tool") + "; touch " +
                          (dir / "a/tool") + " " + (dir / "a/text")))
                    ->ok());
    ChildSpec spec = shell("");
    spec.env = {{"PATH", (dir / "shut") + ":" + (dir / "a") + ":" + (dir / "b")}};
    spec.argv = {"tool"};  // the one that can be run, further down
    EXPECT_TRUE(run(spec)->ok());
    spec.argv = {"text"};
    EXPECT_EQ(run(spec).error().code, Errc::denied);
    spec.argv = {"nothing"};  // a folder that is shut hides no program
    EXPECT_EQ(run(spec).error().code, Errc::not_found);
    spec.env = {{"PATH", ""}};
    EXPECT_EQ(run(spec).error().code, Errc::not_found);
}

TEST(Child, SeesOnlyTheDeclaredEnvironment) {
    ::setenv("MUSHER_TEST_SECRET", "s", 1);
    ChildSpec spec = shell("");
    spec.argv = {"/usr/bin/env"};
    spec.inherit = {};
    spec.env = {{"A", "1"}, {"B", "x=y"}};
    EXPECT_EQ(run(spec)->out, "A=1\nB=x=y\n");
    spec.inherit = {"MUSHER_TEST_SECRET", "A", "MUSHER_NOT_SET"};
    EXPECT_EQ(run(spec)->out, "A=1\nB=x=y\nMUSHER_TEST_SECRET=s\n");
}

TEST(Child, InheritsNoDescriptor) {
    const int leak = ::open("/dev/null", O_RDONLY);  // not close-on-exec on purpose
    ChildSpec spec = shell("");
    spec.argv = {"/bin/ls", "/proc/self/fd"};
    EXPECT_EQ(run(spec)->out, "0\n1\n2\n3\n");  // 3 is ls's own, of the folder
    ::close(leak);
}

TEST(Child, IsConfined) {
    ChildSpec spec = shell(
        "ulimit -t; ulimit -v; ulimit -n; ulimit -f; pwd; grep NoNewPrivs /proc/self/status;"
        "ps -o pgid= -p $$ | grep -qw $$ && echo leads");
    spec.limits.cpu_s = 7;
    spec.limits.memory_bytes = 1 << 30;
    spec.limits.open_files = 33;
    spec.limits.file_size_bytes = 512 * 100;
    spec.cwd = "/usr";
    EXPECT_EQ(run(spec)->out, "7\n1048576\n33\n100\n/usr\nNoNewPrivs:\t1\nleads\n");
}

TEST(Child, IsStoppedAtItsTimeout) {
    ChildSpec spec = shell("trap '' TERM; echo ready; while :; do tail -f /dev/null; done");
    spec.timeout = milliseconds(500);
    spec.grace = milliseconds(50);
    const Result<ChildExit> ended = run(spec);
    EXPECT_TRUE(ended->timed_out);
    EXPECT_EQ(ended->signal, SIGKILL);
    EXPECT_EQ(ended->out, "ready\n");
    spec = shell("exec tail -f /dev/null");
    spec.timeout = milliseconds(20);
    EXPECT_EQ(run(spec)->signal, SIGTERM);
}

TEST(Child, TakesItsGroupAlong) {
    // The grandchild holds the pipe open and would outlive its parent.
    const Result<ChildExit> ended = run(shell("tail -f /dev/null & echo $!"));
    EXPECT_TRUE(ended->ok());
    const pid_t grandchild = static_cast<pid_t>(std::stol(ended->out));
    // Killed already; its new parent may not have waited for it yet.
    while (alive(grandchild)) {
        const auto stat = read_small_file("/proc/" + std::to_string(grandchild) + "/stat", 4096);
        if (!stat || stat->find(") Z ") != std::string::npos) break;
    }
}

Task<void> cancel_when_ready(Loop& loop) {
    Cancel cancel;
    ChildSpec spec = shell("trap 'exit 0' TERM; tail -f /dev/null & wait");
    Timers::Alarm soon(loop.timers());
    soon.arm(milliseconds(30), [&] { cancel.request(Errc::cancelled, "enough"); });
    const Result<ChildExit> ended = co_await run_child(loop, spec, cancel);
    EXPECT_EQ(ended.error().code, Errc::cancelled);
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
    const Result<ChildExit> not_begun = co_await run_child(loop, spec, cancel);
    EXPECT_EQ(not_begun.error().message, "enough");
}
TEST(Child, EndsWithItsCancel) { test::on_loop(cancel_when_ready); }

Task<void> supervise(Loop& loop) {
    ChildSpec spec = shell("exec tail -f /dev/null");
    spec.server = true;
    Cancel never;
    auto child = co_await Child::start(loop, spec, never);
    EXPECT_TRUE(child.has_value());
    EXPECT_TRUE(alive((*child)->pid()));
    EXPECT_FALSE((*child)->ended());
    co_await (*child)->stop();
    EXPECT_TRUE((*child)->ended());
    co_await (*child)->stop();
    EXPECT_EQ((*child)->take_exit().signal, SIGTERM);
}
TEST(Child, RunsUntilStopped) { test::on_loop(supervise); }

Task<void> hold(Loop& loop, int& says) {
    ChildSpec spec = shell("exec tail -f /dev/null");
    Cancel never;
    auto child = co_await Child::start(loop, spec, never);
    const pid_t pid = (*child)->pid();
    EXPECT_EQ(::write(says, &pid, sizeof pid), static_cast<ssize_t>(sizeof pid));
    const Result<void> ended = co_await (*child)->wait(never);
    EXPECT_TRUE(ended.has_value());
}

TEST(Child, DiesWithMusher) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const pid_t parent = ::fork();
    if (parent == 0) {
        test::on_loop(hold, ends[1]);
        ::_exit(0);
    }
    pid_t child = 0;
    ASSERT_EQ(::read(ends[0], &child, sizeof child), static_cast<ssize_t>(sizeof child));
    const Fd end(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
    ::kill(parent, SIGKILL);
    ::waitpid(parent, nullptr, 0);
    pollfd wait{end.get(), POLLIN, 0};
    EXPECT_EQ(::poll(&wait, 1, 20'000), 1);
    ::close(ends[0]);
    ::close(ends[1]);
}

}  // namespace
}  // namespace musher
