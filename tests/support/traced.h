// Runs a part of this test program under strace: what it asked the kernel, in which order, and
// what becomes of it when a call fails or the process is killed there.
#pragma once

#include <string>
#include <vector>

namespace musher::test {

struct TracedCall {
    int thread = 0;
    std::string name;
    std::string arguments;  // descriptors with their paths: fsync(7</tmp/x/a>)
    std::string result;     // "0", "-1 ENOSPC (…)"; empty when it never returned
    int nth = 0;            // of its name in its thread, from 1
    bool has(const std::string& text) const { return arguments.find(text) != std::string::npos; }
};
struct Traced {
    int code = -1;   // of its exit
    int signal = 0;  // that ended it
    std::vector<TracedCall> calls;
};

/// Runs the test `Role.DISABLED_<role>` with MUSHER_ROLE_FOLDER=`folder`; every string of `inject`
/// is an -e inject=… of strace. The role tells its outcome by end_role().
Traced run_traced(const std::string& role, const std::string& folder,
                  const std::vector<std::string>& inject = {});
/// False where strace is missing or may not trace.
bool can_trace();

std::string role_folder();
/// Ends the role's process: 0 for success, 100 + code for an error.
[[noreturn]] void end_role(int code);

}  // namespace musher::test
