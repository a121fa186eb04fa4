#include "reactor/base/fd.h"

#include <sys/stat.h>

#include <cerrno>

namespace musher {

Result<Fd> Fd::open(const std::string& path, int flags, mode_t mode) {
    return open_at(AT_FDCWD, path, flags, mode);
}

Result<Fd> Fd::open_at(int directory, const std::string& name, int flags, mode_t mode) {
    for (;;) {
        const int fd = ::openat(directory, name.c_str(), flags | O_CLOEXEC, mode);
        if (fd >= 0) return Fd(fd);
        if (errno != EINTR) return fail(errno_error(errno, "opening " + name));
    }
}

Result<void> write_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(fd, bytes.data(), bytes.size());
        if (written < 0) {
            if (errno == EINTR) continue;
            return fail(errno_error(errno, "writing"));
        }
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

Result<std::string> read_small_file(const std::string& path, std::size_t limit) {
    // Opening a pipe would wait for its writer.
    MUSHER_TRY(const Fd file, Fd::open(path, O_RDONLY | O_NONBLOCK));
    struct stat info{};
    if (::fstat(file.get(), &info) != 0) return fail(errno_error(errno, "reading " + path));
    if (!S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)) {
        return fail(Errc::denied, path + " is not a regular file", "put what it gives into a file");
    }
    std::string text;
    char chunk[4096];
    for (;;) {
        const ssize_t got = ::read(file.get(), chunk, sizeof chunk);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail(errno_error(errno, "reading " + path));
        if (got == 0) return text;
        text.append(chunk, static_cast<std::size_t>(got));
        if (text.size() > limit) return fail(Errc::usage, path + " is too large");
    }
}

}  // namespace musher
