#include "sources/folder_access.h"

#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include <algorithm>
#include <cerrno>

namespace musher::hotfolder {

namespace {
constexpr int kFolderFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

struct KnownType {
    unsigned long type = 0;
    FsTraits traits;
};
// include/uapi/linux/magic.h, and the file systems' own headers.
constexpr KnownType kRemote[] = {
    {0x6969, {"nfs", false, false, true}},
    {0xff534d42, {"cifs", false, false, false}},
    {0xfe534d42, {"smb", false, false, false}},
    {0x517b, {"smb", false, false, false}},
    {0x65735546, {"fuse", false, false, false}},
    {0x01021997, {"9p", false, false, false}},
    {0x00c36400, {"ceph", false, false, true}},
    {0x5346414f, {"afs", false, false, false}},
    {0x73757245, {"coda", false, false, false}},
    {0x0bd00bd0, {"lustre", false, false, true}},
    {0x47504653, {"gpfs", false, false, true}},
    {0x7461636f, {"ocfs2", false, false, true}},
    {0x01161970, {"gfs2", false, false, true}},
    {0x786f4256, {"vboxsf", false, false, false}},
    {0xbacbacbc, {"vmhgfs", false, false, false}},
    {0x7c7c6673, {"prl_fs", false, false, false}},
    // Local, but their inode numbers are made up at every mount.
    {0x4d44, {"vfat", true, true, false}},
    {0x2011bab0, {"exfat", true, true, false}},
};

Fd opened(int fd) {
    if (fd < 0 && (errno == ELOOP || errno == ENOTDIR || errno == EXDEV)) errno = ENOENT;
    return Fd(fd);
}

/// One part after the other, for kernels and sandboxes without openat2.
Fd open_step_by_step(const Fd& root, const std::string& subfolder) {
    Fd at = opened(::openat(root.get(), ".", kFolderFlags));
    for (std::size_t from = 0; at && from < subfolder.size();) {
        const std::size_t slash = std::min(subfolder.find('/', from), subfolder.size());
        const std::string part = subfolder.substr(from, slash - from);
        if (part == "..") {
            errno = ENOENT;
            return Fd();
        }
        at = opened(::openat(at.get(), part.c_str(), kFolderFlags));
        from = slash + 1;
    }
    return at;
}
}  // namespace

FsTraits traits_of(unsigned long type) {
    const auto* const known = std::find_if(std::begin(kRemote), std::end(kRemote),
                                           [&](const KnownType& t) { return t.type == type; });
    return known == std::end(kRemote) ? FsTraits() : known->traits;
}

Result<FsTraits> traits_of(const Fd& folder) {
    struct statfs info{};
    if (::fstatfs(folder.get(), &info) != 0) {
        return fail(errno_error(errno, "asking for the file system"));
    }
    return traits_of(static_cast<unsigned long>(info.f_type) & 0xffffffffUL);
}

Fd open_beneath(const Fd& root, const std::string& subfolder) {
    if (subfolder.empty()) return opened(::openat(root.get(), ".", kFolderFlags));
    open_how how{};
    how.flags = static_cast<std::uint64_t>(kFolderFlags);
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    const long fd = ::syscall(SYS_openat2, root.get(), subfolder.c_str(), &how, sizeof how);
    if (fd < 0 && (errno == ENOSYS || errno == EPERM || errno == EAGAIN)) {
        return open_step_by_step(root, subfolder);
    }
    return opened(static_cast<int>(fd));
}

Fd make_beneath(const Fd& root, const std::string& subfolder, mode_t mode) {
    Fd there = open_beneath(root, subfolder);
    // NOLINTNEXTLINE(clang-analyzer-unix.Errno): without a descriptor it is open_beneath()'s
    if (there || errno != ENOENT || subfolder.empty()) return there;
    const std::size_t slash = subfolder.rfind('/');
    const std::string parent = slash == std::string::npos ? "" : subfolder.substr(0, slash);
    const std::string leaf = subfolder.substr(slash == std::string::npos ? 0 : slash + 1);
    const Fd above = make_beneath(root, parent, mode);
    if (!above) return Fd();
    if (::mkdirat(above.get(), leaf.c_str(), mode) != 0 && errno != EEXIST) return Fd();
    return open_beneath(above, leaf);
}

std::string path_of(const Fd& folder) { return "/proc/self/fd/" + std::to_string(folder.get()); }

}  // namespace musher::hotfolder
