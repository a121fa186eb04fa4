#include "reactor/tree/attributes.h"

#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>
#include <vector>

#include "reactor/base/fd.h"

namespace musher {

namespace {

Failure failed(const char* what) { return fail(errno_error(errno, what)); }

/// Another file system, or another user namespace, may take less: no such attributes, smaller ones,
/// fewer, none that name an owner it does not know.
bool not_taken() {
    switch (errno) {
        case EPERM:
        case EACCES:
        case EOPNOTSUPP:
        case EINVAL:
        case E2BIG:
        case ERANGE:
        case ENOSPC:
            return true;
        default:
            return false;
    }
}

bool refused() { return errno == EPERM || errno == EOPNOTSUPP || errno == EACCES; }

/// Only root gives files away, and not each root: of a container it may lack the right, and know
/// but some owners.
bool may_not_own() { return errno == EPERM || errno == EINVAL; }

/// 1 when the owner or the group could not be kept. Rights of the owner and the group are then
/// taken off `mode`: they are no rights of others.
Result<unsigned> keep_owner(int to, const struct stat& info, const Creator& creator, mode_t& mode) {
    if (info.st_uid == creator.uid && info.st_gid == creator.gid) return 0u;
    if (::fchown(to, info.st_uid, info.st_gid) == 0) return 0u;
    if (!may_not_own()) return failed("setting its owner");
    // One's own file may still get one of one's groups.
    const bool group = ::fchown(to, static_cast<uid_t>(-1), info.st_gid) == 0;
    if (!group) {
        if (!may_not_own()) return failed("setting its group");
        mode &= ~mode_t{S_ISGID};
    }
    if (info.st_uid == creator.uid) return group ? 0u : 1u;
    mode &= 01777;
    return 1u;
}

Result<unsigned> copy_attribute(int from, int to, const char* name) {
    // An integrity signature is of the file that it was made for.
    if (std::strcmp(name, "security.evm") == 0) return 0u;
    std::vector<char> value(256);
    ssize_t size = ::fgetxattr(from, name, value.data(), value.size());
    while (size < 0 && errno == ERANGE) {
        value.resize(value.size() * 4);
        size = ::fgetxattr(from, name, value.data(), value.size());
    }
    if (size < 0) return errno == ENODATA ? Result<unsigned>(0u) : failed("reading an attribute");
    if (::fsetxattr(to, name, value.data(), static_cast<std::size_t>(size), 0) == 0) return 0u;
    if (not_taken()) return 1u;
    return fail(errno_error(errno, std::string("setting its attribute ") + name));
}

Result<unsigned> copy_extended(int from, int to) {
    char few[1024];
    std::vector<char> many;
    char* names = few;
    ssize_t size = ::flistxattr(from, few, sizeof few);
    while (size < 0 && errno == ERANGE) {
        many.resize(many.empty() ? 8 * sizeof few : 4 * many.size());
        names = many.data();
        size = ::flistxattr(from, names, many.size());
    }
    if (size < 0) return refused() ? Result<unsigned>(0u) : failed("listing its attributes");
    unsigned unkept = 0;
    for (const char* name = names; name < names + size; name += std::strlen(name) + 1) {
        MUSHER_TRY(const unsigned one, copy_attribute(from, to, name));
        unkept += one;
    }
    return unkept;
}

mode_t current_umask() {
    // umask(2) would change it for the other threads too.
    const Result<std::string> status = read_small_file("/proc/self/status", 64 << 10);
    unsigned mask = Creator::kUnknown;
    if (!status) return mask;
    const std::string_view word = "\nUmask:\t";
    const std::size_t at = status->find(word);
    if (at == std::string::npos) return mask;
    const char* digits = status->data() + at + word.size();
    std::from_chars(digits, status->data() + status->size(), mask, 8);
    return mask;
}
}  // namespace

Creator Creator::current() { return {::geteuid(), ::getegid(), current_umask()}; }

Result<unsigned> copy_attributes(int from, int to, const struct stat& info, const Creator& creator,
                                 mode_t has) {
    mode_t mode = info.st_mode & 07777;
    MUSHER_TRY(unsigned unkept, keep_owner(to, info, creator, mode));
    MUSHER_TRY(const unsigned attributes, copy_extended(from, to));
    unkept += attributes;
    if (mode != has && ::fchmod(to, mode) != 0) return failed("setting its mode");
    const timespec times[2] = {info.st_atim, info.st_mtim};
    if (::futimens(to, times) != 0) return failed("setting its times");
    return unkept;
}

Result<unsigned> copy_link_attributes(int folder, const char* name, const struct stat& info,
                                      const Creator& creator) {
    unsigned unkept = 0;
    const bool own = info.st_uid == creator.uid && info.st_gid == creator.gid;
    if (!own && ::fchownat(folder, name, info.st_uid, info.st_gid, AT_SYMLINK_NOFOLLOW) != 0) {
        if (!may_not_own() && !refused()) return failed("setting its owner");
        unkept = 1;
    }
    const timespec times[2] = {info.st_atim, info.st_mtim};
    if (::utimensat(folder, name, times, AT_SYMLINK_NOFOLLOW) != 0) {
        return failed("setting its times");
    }
    return unkept;
}

}  // namespace musher
