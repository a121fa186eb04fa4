#include "pipelines/queue/state_lock.h"

#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <ctime>

namespace musher {

namespace {
constexpr std::string_view kVerbMark = " (a verb)";

/// Its pid, and the mark of a verb.
std::string holder_of(const std::string& path) {
    const std::string text = read_small_file(path, 128).value_or("");
    return text.substr(0, text.find('\n'));
}

/// A musher that was killed while it started a child may leave that child with the lock until it
/// has become another program: a few milliseconds.
bool lock_soon(int fd, const std::string& path) {
    constexpr int kTries = 100;
    for (int tries = 0; tries < kTries; ++tries) {
        if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return true;
        if (errno != EWOULDBLOCK) return false;
        const long pid = std::strtol(holder_of(path).c_str(), nullptr, 10);
        if (pid <= 0 || ::kill(static_cast<pid_t>(pid), 0) == 0 || errno != ESRCH) break;
        const timespec pause{0, 10'000'000};
        ::nanosleep(&pause, nullptr);
    }
    errno = EWOULDBLOCK;
    return false;
}
}  // namespace

Result<StateLock> StateLock::take(const std::string& state, Holder as) {
    if (::mkdir(state.c_str(), 0700) != 0 && errno != EEXIST) {
        return fail(errno_error(errno, "making the state directory " + state));
    }
    const std::string path = state + "/lock";
    MUSHER_TRY(Fd file, Fd::open(path, O_RDWR | O_CREAT));
    if (!lock_soon(file.get(), path)) {
        if (errno != EWOULDBLOCK) return fail(errno_error(errno, "locking " + path));
        const std::string holder = holder_of(path);
        return fail(Errc::conflict,
                    "the state directory " + state + " is used by process " +
                        (holder.empty() ? "?" : holder),
                    "stop that musher, or give this one another `state:`");
    }
    // kill -9 here: the file is unlocked and names a dead process; the next holder rewrites it.
    // Never empty meanwhile: who looks now must see whom to wait for.
    const std::string_view mark = as == Holder::verb ? kVerbMark : std::string_view();
    const std::string line = std::to_string(::getpid()).append(mark) + "\n";
    MUSHER_DO(write_all(file.get(), line));
    if (::ftruncate(file.get(), static_cast<off_t>(line.size())) != 0) {
        return fail(errno_error(errno, "writing " + path));
    }
    return StateLock(std::move(file));
}

bool StateLock::verb_holds(const std::string& state) {
    return holder_of(state + "/lock").ends_with(kVerbMark);
}

}  // namespace musher
