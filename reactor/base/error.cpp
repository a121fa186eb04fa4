#include "reactor/base/error.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace musher {

void check_failed(const char* file, int line, const char* text) noexcept {
    std::fprintf(stderr, "%s:%d: internal error: check failed: %s\n", file, line, text);
    std::abort();
}

namespace {
constexpr std::array kTable = {
    ErrcInfo{Errc::failed, "failed", 1, true, Fault::item, ""},
    ErrcInfo{Errc::usage, "usage", 2, false, Fault::item, ""},
    ErrcInfo{Errc::not_found, "not_found", 3, true, Fault::item, ""},
    ErrcInfo{Errc::conflict, "conflict", 4, true, Fault::item, ""},
    ErrcInfo{Errc::unavailable, "unavailable", 5, true, Fault::sink,
             "check that the server runs and can be reached"},
    ErrcInfo{Errc::full, "full", 5, true, Fault::sink, "free some space"},
    ErrcInfo{Errc::denied, "denied", 6, true, Fault::sink, "check permissions and credentials"},
    ErrcInfo{Errc::corrupt, "corrupt", 7, false, Fault::item, ""},
    ErrcInfo{Errc::timeout, "timeout", 8, true, Fault::item, ""},
    ErrcInfo{Errc::cancelled, "cancelled", 8, false, Fault::item, ""},
    ErrcInfo{Errc::loop, "loop", 1, false, Fault::item,
             "a pipeline's output feeds its own input; change one of the two folders"},
    ErrcInfo{Errc::poison, "poison", 1, false, Fault::item,
             "the process died several times while it ran this job; look at the job's input"},
    ErrcInfo{Errc::internal, "internal", 70, false, Fault::item, "please report this"},
};
static_assert(kTable.size() == static_cast<std::size_t>(Errc::internal) + 1);
}  // namespace

const ErrcInfo& info(Errc code) noexcept { return kTable[static_cast<std::size_t>(code)]; }

Errc errc_from_name(std::string_view name) noexcept {
    for (const ErrcInfo& row : kTable) {
        if (row.name == name) return row.code;
    }
    return Errc::internal;
}

Errc errc_from_errno(int number) noexcept {
    switch (number) {
        case ENOENT:
        case ENOTDIR:
            return Errc::not_found;
        case EEXIST:
        case ENOTEMPTY:
        case EBUSY:
            return Errc::conflict;
        case EACCES:
        case EPERM:
        case EROFS:
            return Errc::denied;
        case ENOSPC:
        case EDQUOT:
            return Errc::full;
        case ECONNREFUSED:
        case ECONNRESET:
        case EPIPE:
        case EHOSTUNREACH:
        case ENETUNREACH:
        case ENOTCONN:
        case EIO:
        case ENODEV:
        case ESTALE:
            return Errc::unavailable;
        case ETIMEDOUT:
            return Errc::timeout;
        case ECANCELED:
            return Errc::cancelled;
        default:
            return Errc::failed;
    }
}

Error Error::within(std::string line) && {
    context.push_back(std::move(line));
    return std::move(*this);
}

std::string Error::text() const {
    std::string all;
    for (auto line = context.rbegin(); line != context.rend(); ++line) all += *line + ": ";
    return all + message;
}

Error errno_error(int number, std::string_view what) {
    std::string message(what);
    message += ": ";
    message += std::strerror(number);  // NOLINT(concurrency-mt-unsafe): glibc's is thread-safe
    return Error(errc_from_errno(number), std::move(message));
}

}  // namespace musher
