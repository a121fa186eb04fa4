#include "reactor/base/body_file.h"

#include <sys/stat.h>

#include <cerrno>

#include "reactor/base/text.h"

namespace musher {

namespace {
Failure changed(const std::string& path, const char* into) {
    return fail(Errc::conflict, escape_name(path) + into,
                "it was replaced while its job waited or ran");
}
}  // namespace

FileIdentity identity_of(const Json& facts) {
    return FileIdentity{size_in(facts, "dev"), size_in(facts, "ino")};
}

Result<Fd> open_body(const std::string& path, const FileIdentity& expected) {
    // A handle that reads nothing, follows no link and waits for nobody; what it holds is judged
    // and then opened, whatever the path means by then.
    MUSHER_TRY(const Fd found, Fd::open(path, O_PATH | O_NOFOLLOW));
    struct stat info{};
    if (::fstat(found.get(), &info) != 0) {
        return fail(errno_error(errno, "reading " + escape_name(path)));
    }
    if (S_ISDIR(info.st_mode)) {
        return fail(Errc::usage, escape_name(path) + " is a folder, not a file",
                    "with unit: folder only exec can work on it, as ${event.path}");
    }
    if (S_ISLNK(info.st_mode)) return changed(path, " is a link");
    if (!S_ISREG(info.st_mode)) return changed(path, " is no regular file");
    const bool other_device = expected.dev != 0 && info.st_dev != expected.dev;
    if (expected.ino != 0 && (info.st_ino != expected.ino || other_device)) {
        return changed(path, " is another file than the one that was taken");
    }
    const std::string held = "/proc/self/fd/" + std::to_string(found.get());
    for (;;) {
        const int opened = ::open(held.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (opened >= 0) return Fd(opened);
        if (errno != EINTR) return fail(errno_error(errno, "opening " + escape_name(path)));
    }
}

}  // namespace musher
