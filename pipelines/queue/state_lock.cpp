#include "pipelines/queue/state_lock.h"

#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <ctime>

namespace musher {

namespace {
/// A musher that was killed while it started a child may leave that child with the lock until it
/// has become another program: a few milliseconds.
bool lock_soon(int fd, const std::string& path) {
    constexpr int kTries = 100;
    for (int tries = 0; tries < kTries; ++tries) {
        if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return true;
        if (errno != EWOULDBLOCK) return false;
        const std::string holder = read_small_file(path, 64).value_or("");
        const long pid = std::strtol(holder.c_str(), nullptr, 10);
        if (pid <= 0 || ::kill(static_cast<pid_t>(pid), 0) == 0 || errno != ESRCH) break;
        const timespec pause{0, 10'000'000};
        ::nanosleep(&pause, nullptr);
    }
    errno = EWOULDBLOCK;
    return false;
}
}  // namespace

Result<StateLock> StateLock::take(const std::string& state) {
    if (::mkdir(state.c_str(), 0700) != 0 && errno != EEXIST) {
        return fail(errno_error(errno, "making the state directory " + state));
    }
    const std::string path = state + "/lock";
    MUSHER_TRY(Fd file, Fd::open(path, O_RDWR | O_CREAT));
    if (!lock_soon(file.get(), path)) {
        if (errno != EWOULDBLOCK) return fail(errno_error(errno, "locking " + path));
        std::string holder = read_small_file(path, 64).value_or("");
        while (!holder.empty() && holder.back() == '\n') holder.pop_back();
        return fail(Errc::conflict,
                    "the state directory " + state + " is used by process " +
                        (holder.empty() ? "?" : holder),
                    "stop that musher, or give this one another `state:`");
    }
    // kill -9 here: the file is unlocked and names a dead process; the next holder rewrites it.
    if (::ftruncate(file.get(), 0) != 0) return fail(errno_error(errno, "writing " + path));
    MUSHER_DO(write_all(file.get(), std::to_string(::getpid()) + "\n"));
    return StateLock(std::move(file));
}

}  // namespace musher
