#include "tests/support/traced.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <map>

#include "tests/support/temp_dir.h"
#include "tests/support/tree.h"

namespace musher::test {

namespace {

constexpr const char* kTraced =
    "trace=openat,fchmod,fallocate,write,fsetxattr,sync_file_range,syncfs,fsync,fchown,utimensat,"
    "copy_file_range,rename,renameat,renameat2,link,unlink,unlinkat";

/// Status of `argv`, run with `folder` in its environment.
int run_program(std::vector<std::string> argv, const std::string& folder) {
    std::vector<char*> words;
    for (std::string& word : argv) words.push_back(word.data());
    words.push_back(nullptr);
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    MUSHER_CHECK(child >= 0);
    if (child == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent) ::_exit(1);
        ::setenv("MUSHER_ROLE_FOLDER", folder.c_str(), 1);
        // LeakSanitizer traces its own process, which is traced already.
        ::setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
        ::execvp(words[0], words.data());
        ::_exit(127);
    }
    int status = 0;
    MUSHER_CHECK(::waitpid(child, &status, 0) == child);
    return status;
}

/// Lines are "PID name(arguments) = result", or two halves of it when threads interleave.
std::vector<TracedCall> parse(const std::string& log) {
    std::vector<TracedCall> calls;
    std::map<int, std::size_t> open;
    std::map<std::pair<int, std::string>, int> count;
    for (const std::string& line : lines_of(log)) {
        const int thread = std::atoi(line.c_str());
        const std::size_t body = line.find_first_not_of(" 0123456789");
        if (body == std::string::npos) continue;
        const std::size_t equals = line.rfind(") = ");
        const std::string result = equals == std::string::npos ? "" : line.substr(equals + 4);
        if (line.compare(body, 5, "<... ") == 0) {
            if (open.contains(thread)) calls[open[thread]].result = result;
            continue;
        }
        const std::size_t paren = line.find('(', body);
        if (paren == std::string::npos) continue;
        TracedCall call{thread, line.substr(body, paren - body), line.substr(paren + 1), result, 0};
        call.nth = ++count[{thread, call.name}];
        open[thread] = calls.size();
        calls.push_back(std::move(call));
    }
    return calls;
}

}  // namespace

Traced run_traced(const std::string& role, const std::string& folder,
                  const std::vector<std::string>& inject) {
    const TempDir dir;
    std::vector<std::string> argv = {"strace", "-f",        "-y", "-qq",  "-s0",
                                     "-o",     dir / "log", "-e", kTraced};
    for (const std::string& one : inject) {
        argv.insert(argv.end(), {"-e", "inject=" + one});
    }
    argv.insert(argv.end(), {std::filesystem::read_symlink("/proc/self/exe").string(),
                             "--gtest_also_run_disabled_tests", "--gtest_brief=1",
                             "--gtest_filter=Role.DISABLED_" + role});
    const int status = run_program(argv, folder);
    Traced traced;
    if (WIFEXITED(status)) traced.code = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) traced.signal = WTERMSIG(status);
    traced.calls = parse(file_text(dir / "log"));
    return traced;
}

bool can_trace() {
    static const bool kCan =
        WEXITSTATUS(run_program({"strace", "-qq", "-o", "/dev/null", "true"}, "")) == 0;
    return kCan;
}

std::string role_folder() {
    const char* folder = std::getenv("MUSHER_ROLE_FOLDER");
    MUSHER_CHECK(folder != nullptr);  // a role is run by run_traced()
    return folder;
}

void end_role(int code) { std::_Exit(code); }

}  // namespace musher::test
