#include "pipelines/queue/embedded_redis_folder.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <cerrno>

#include "reactor/base/fd.h"

namespace musher {

namespace {
constexpr off_t kLogBytes = 1 << 20;  // a larger log is put aside at start
constexpr std::size_t kLogTail = 4096;
constexpr std::string_view kStart = "oO0Oo";

bool is_routine(std::string_view text) {
    constexpr std::array kRoutine = {kStart,
                                     std::string_view("Redis version"),
                                     std::string_view("Configuration loaded"),
                                     std::string_view("Server initialized"),
                                     std::string_view("WARNING "),
                                     std::string_view("User requested shutdown"),
                                     std::string_view("Redis is now ready to exit")};
    return std::any_of(kRoutine.begin(), kRoutine.end(),
                       [&](std::string_view start) { return text.starts_with(start); });
}
}  // namespace

Result<void> prepare_redis_folder(const std::string& folder, const std::string& log) {
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
        return fail(errno_error(errno, "making " + folder));
    }
    if (::chmod(folder.c_str(), 0700) != 0) {
        return fail(errno_error(errno, "protecting " + folder));
    }
    struct stat info{};
    if (::stat(log.c_str(), &info) == 0 && info.st_size > kLogBytes) {
        ::rename(log.c_str(), (log + ".1").c_str());
    }
    return {};
}

std::string last_redis_complaints(const std::string& log) {
    const Result<Fd> file = Fd::open(log, O_RDONLY);
    if (!file) return {};
    const off_t size = ::lseek(file->get(), 0, SEEK_END);
    const off_t from = std::max<off_t>(0, size - static_cast<off_t>(kLogTail));
    std::string tail(kLogTail, '\0');
    const ssize_t got = ::pread(file->get(), tail.data(), tail.size(), from);
    tail.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    std::string before;
    std::string last;
    for (std::size_t at = 0; at < tail.size();) {
        const std::size_t end = std::min(tail.find('\n', at), tail.size());
        const std::string line = tail.substr(at, end - at);
        at = end + 1;
        const std::size_t mark = line.find(" # ");
        if (mark == std::string::npos) continue;
        const std::string text = line.substr(mark + 3);
        if (is_routine(text)) {
            // An earlier life's words do not count.
            if (text.starts_with(kStart)) before = last = std::string();
            continue;
        }
        before = std::exchange(last, text);
    }
    return before.empty() ? last : before + "; " + last;
}

bool is_disk_full(const std::string& folder) {
    struct statvfs facts{};
    if (::statvfs(folder.c_str(), &facts) != 0) return false;
    return facts.f_bavail == 0 || (facts.f_files > 0 && facts.f_favail == 0);
}

Error redis_end_error(const std::string& how, const std::string& said) {
    std::string message = "the embedded redis-server " + how;
    if (!said.empty()) message += ": " + said;
    // With `appendfsync always` a write cut short by a full disk ends the server.
    if (said.find("No space left") != std::string::npos ||
        said.find("Short write") != std::string::npos) {
        return Error(Errc::full, message);
    }
    if (said.find("redis-check-aof") != std::string::npos) {
        return Error(Errc::corrupt, message,
                     "keep a copy of the redis folder, then run redis-check-aof --fix as it says");
    }
    return Error(Errc::unavailable, message);
}

}  // namespace musher
