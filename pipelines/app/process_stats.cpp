#include "pipelines/app/process_stats.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <ctime>
#include <sstream>

#include "reactor/base/fd.h"

namespace musher {

namespace {
constexpr std::size_t kProcBytes = 4096;
constexpr int kStartField = 22;  // of /proc/PID/stat
constexpr int kAfterName = 3;

double seconds_of(const timeval& span) {
    return static_cast<double>(span.tv_sec) + static_cast<double>(span.tv_usec) / 1e6;
}

double seconds_on(clockid_t clock) {
    timespec now{};
    ::clock_gettime(clock, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

/// The name of the program may hold blanks and brackets: the fields after it are counted.
double started_after_boot() {
    const Result<std::string> stat = read_small_file("/proc/self/stat", kProcBytes);
    if (!stat) return 0;
    std::istringstream fields(stat->substr(stat->rfind(')') + 1));
    std::string field;
    for (int i = kAfterName; i <= kStartField; ++i) fields >> field;
    return std::strtod(field.c_str(), nullptr) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

std::uint64_t count_fds() {
    DIR* folder = ::opendir("/proc/self/fd");
    if (!folder) return 0;
    std::uint64_t count = 0;
    while (const dirent* entry = ::readdir(folder)) count += entry->d_name[0] != '.' ? 1 : 0;
    ::closedir(folder);
    return count > 0 ? count - 1 : 0;  // one was the folder's own
}
}  // namespace

ProcessStats process_stats() {
    ProcessStats stats;
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    stats.cpu_seconds = seconds_of(used.ru_utime) + seconds_of(used.ru_stime);
    // Once: what the clocks say of it would tremble.
    static const double kStart =
        seconds_on(CLOCK_REALTIME) - seconds_on(CLOCK_BOOTTIME) + started_after_boot();
    stats.start_seconds = kStart;
    if (const Result<std::string> pages = read_small_file("/proc/self/statm", kProcBytes)) {
        const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
        std::istringstream fields(*pages);
        fields >> stats.virtual_bytes >> stats.resident_bytes;
        stats.virtual_bytes *= page;
        stats.resident_bytes *= page;
    }
    stats.open_fds = count_fds();
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) stats.most_fds = limit.rlim_cur;
    return stats;
}

}  // namespace musher
