#include "bench/support.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <thread>

namespace musher::bench {

namespace {
using Moment = std::chrono::steady_clock::time_point;

Moment after(double seconds) {
    return std::chrono::steady_clock::now() + std::chrono::duration_cast<std::chrono::nanoseconds>(
                                                  std::chrono::duration<double>(seconds));
}

int ms_until(Moment moment) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(moment - std::chrono::steady_clock::now());
    return static_cast<int>(std::max<std::int64_t>(0, left.count()));
}

/// The value after `key` in a file of "key : value" lines; the first line for an empty key.
std::string fact(const std::string& path, const std::string& key) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        if (!line.starts_with(key)) continue;
        if (key.empty()) return line;
        const std::size_t value = line.find_first_not_of(" \t", line.find(':') + 1);
        return value == std::string::npos ? std::string() : line.substr(value);
    }
    return "unknown";
}

/// Only async-signal-safe calls between fork and exec.
[[noreturn]] void become(char* const* argv, pid_t parent, int out, int errors) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::setpgid(0, 0);
    const int null = ::open("/dev/null", O_RDONLY);
    ::dup2(null, 0);
    ::dup2(out, 1);
    ::dup2(errors, 2);
    if (::getppid() == parent) ::execvp(argv[0], argv);
    ::_exit(127);
}
}  // namespace

Options read_options(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; ++i) {
        if (std::string_view(argv[i]) != "--quick") {
            fmt::print(stderr, "{}: error: unknown option {}\n", argv[0], argv[i]);
            std::exit(2);
        }
        options.quick = true;
        options.runs = 2;
    }
    return options;
}

void print_machine(const std::string& title, const std::vector<std::string>& facts) {
    utsname kernel{};
    ::uname(&kernel);
    fmt::print("== {}\n", title);
    fmt::print("machine: {} x {}, {}\n", std::thread::hardware_concurrency(),
               fact("/proc/cpuinfo", "model name"), fact("/proc/meminfo", "MemTotal"));
    fmt::print("kernel:  {} {}\n", kernel.sysname, kernel.release);
    fmt::print("load:    {}\n", fact("/proc/loadavg", ""));
    fmt::print("musher:  {}\n", MUSHER_COMMIT);
    for (const std::string& text : facts) fmt::print("with:    {}\n", text);
    std::fflush(stdout);
}

std::string version_of(const std::vector<std::string>& argv) {
    Program program(argv);
    const std::optional<std::string> line = program.line(30);
    if (program.wait(10) != 0) return "not installed";
    return line ? *line : program.complaint();
}

double cpu_seconds() {
    double sum = 0;
    for (const int whose : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
        rusage used{};
        ::getrusage(whose, &used);
        for (const timeval& part : {used.ru_utime, used.ru_stime}) {
            sum += double(part.tv_sec) + double(part.tv_usec) / 1e6;
        }
    }
    return sum;
}

std::string source_path(const std::string& path) { return MUSHER_SOURCE_DIR "/" + path; }

std::string program_path(const std::string& name) {
    return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / name).string();
}

double Figure::median() const {
    std::vector<double> sorted = samples_;
    std::sort(sorted.begin(), sorted.end());
    const std::size_t half = sorted.size() / 2;
    return sorted.size() % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

std::string number(double value) {
    if (value < 10) return fmt::format("{:.3f}", value);
    if (value < 1000) return fmt::format("{:.1f}", value);
    std::string digits = fmt::format("{:.0f}", value);
    for (std::size_t at = digits.size(); at > 3;) digits.insert(at -= 3, ",");
    return digits;
}

std::string Figure::text() const { return known() ? number(median()) : "-"; }

std::string Figure::ratio_to(const Figure& other) const {
    if (!known() || !other.known() || other.median() == 0) return "-";
    return fmt::format("x{:.2f}", median() / other.median());
}

void print_table(const std::vector<std::vector<std::string>>& rows) {
    std::vector<std::size_t> widths;
    for (const auto& row : rows) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    }
    fmt::print("\n");
    for (const auto& row : rows) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i) {
            line += i == 0 ? fmt::format("{:<{}}", row[i], widths[i])
                           : fmt::format("  {:>{}}", row[i], widths[i]);
        }
        fmt::print("{}\n", line);
    }
    fmt::print("\n");
    std::fflush(stdout);
}

void print_goal(const std::string& what, double value, Want want, double bound) {
    const bool met = want == Want::at_least ? value >= bound : value <= bound;
    fmt::print("goal: {}: {}, {} {}: {}\n", what, number(value),
               want == Want::at_least ? "at least" : "at most", number(bound),
               met ? "met" : "MISSED");
}

void print_goal(const std::string& what, const Figure& figure, Want want, double bound) {
    if (figure.known()) return print_goal(what, figure.median(), want, bound);
    fmt::print("goal: {}: not measured\n", what);
}

Program::Program(const std::vector<std::string>& argv)
    : errors_(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)) {
    std::vector<char*> words;
    for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    int ends[2];
    MUSHER_CHECK(::pipe2(ends, O_CLOEXEC) == 0);
    out_ = Fd(ends[0]);
    const Fd theirs(ends[1]);
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    MUSHER_CHECK(pid_ >= 0);
    if (pid_ == 0) become(words.data(), parent, theirs.get(), errors_.get());
    ::setpgid(pid_, pid_);
}

Program::~Program() { kill(); }

std::optional<std::string> Program::line(double timeout_s) {
    const Moment until = after(timeout_s);
    for (;;) {
        const std::size_t end = read_.find('\n');
        if (end != std::string::npos) {
            std::string line = read_.substr(0, end);
            read_.erase(0, end + 1);
            return line;
        }
        pollfd wait{out_.get(), POLLIN, 0};
        if (::poll(&wait, 1, ms_until(until)) <= 0) return std::nullopt;
        char bytes[4096];
        const ssize_t got = ::read(out_.get(), bytes, sizeof bytes);
        if (got <= 0) return std::nullopt;
        read_.append(bytes, static_cast<std::size_t>(got));
    }
}

void Program::kill() {
    if (pid_ <= 0) return;
    ::kill(-pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
}

int Program::wait(double timeout_s) {
    const Moment until = after(timeout_s);
    while (line(std::max(0.0, ms_until(until) / 1000.0))) {
    }
    int status = 0;
    while (::waitpid(pid_, &status, WNOHANG) == 0) {
        if (ms_until(until) == 0) {
            kill();
            return -1;
        }
        ::usleep(1000);
    }
    ::kill(-pid_, SIGKILL);  // what it left of its group
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::string Program::complaint() const {
    std::string text(64 << 10, '\0');
    const ssize_t got = ::pread(errors_.get(), text.data(), text.size(), 0);
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    while (text.ends_with('\n')) text.pop_back();
    return text.substr(text.rfind('\n') + 1);
}

Json run_json(const std::vector<std::string>& argv, double timeout_s) {
    Program program(argv);
    const Moment until = after(timeout_s);
    std::string last;
    while (const auto line = program.line(ms_until(until) / 1000.0)) last = *line;
    const int status = program.wait(std::max(1.0, ms_until(until) / 1000.0));
    const Result<Json> json = parse_json(last.empty() ? "null" : last);
    if (status == 0 && json) return *json;
    fmt::print(stderr, "{} {}: failed ({}): {}\n", argv[0], argv.size() > 1 ? argv[1] : "", status,
               program.complaint());
    return nullptr;
}

}  // namespace musher::bench
