// What a child process is to be given, and how it ended.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "reactor/base/clock.h"

namespace musher {

/// Where standard output or standard error goes.
struct ChildOutput {
    enum class To { discard, capture, file };
    To to = To::discard;
    std::size_t limit = 0;  // capture: bytes kept; the rest is read and dropped
    std::string path;       // file: created or cut to nothing, 0600
    bool last = false;      // capture: the last bytes are kept, not the first

    static ChildOutput capture(std::size_t limit) { return {To::capture, limit, {}}; }
    static ChildOutput capture_last(std::size_t limit) { return {To::capture, limit, {}, true}; }
    static ChildOutput file(std::string path) { return {To::file, 0, std::move(path)}; }
};

/// Zero: no limit but the system's.
struct ChildLimits {
    std::uint64_t cpu_s = 0;
    std::uint64_t memory_bytes = 0;  // address space
    std::uint64_t open_files = 0;
    std::uint64_t file_size_bytes = 0;  // of each file it writes
};

struct ChildSpec {
    std::vector<std::string> argv;  // argv[0]: a path, or a name looked up in the child's PATH
    std::map<std::string, std::string> env;
    /// Taken over from musher's own environment where `env` is silent.
    std::vector<std::string> inherit = {"PATH", "LANG", "TZ"};
    std::string cwd;    // empty: musher's
    int stdin_fd = -1;  // the caller's, open until it runs; -1: nothing to read
    std::optional<std::string> stdin_bytes;  // instead of stdin_fd
    ChildOutput out;
    ChildOutput err;
    ChildLimits limits;
    Duration timeout{0};                       // run_child only; zero: none
    Duration grace = std::chrono::seconds(5);  // between TERM and KILL
    bool server = false;  // when musher dies it gets TERM, to finish its writes; else KILL
};

struct ChildExit {
    int code = 0;    // when signal is 0
    int signal = 0;  // that ended it
    bool timed_out = false;
    std::string out, err;  // captured
    bool out_truncated = false, err_truncated = false;
    Duration took{0};

    bool ok() const { return signal == 0 && code == 0 && !timed_out; }
    /// "exited with 3", "was killed by SIGKILL", "took longer than …".
    std::string text() const;
};

}  // namespace musher
