#include "sources/tree_sample.h"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string_view>

namespace musher::hotfolder {

namespace {
constexpr int kDepth = 64;

struct CloseDir {
    void operator()(DIR* dir) const { ::closedir(dir); }
};

/// Mixes one number into a fingerprint (splitmix64's finisher).
std::uint64_t mix(std::uint64_t seed, std::uint64_t value) {
    std::uint64_t x = seed + 0x9e3779b97f4a7c15ULL + value;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
}

class Walk {
  public:
    Walk(TreeLook& look, bool prove) : look_(look), prove_(prove) {}

    void folder(Fd fd, int depth) {
        if (depth > kDepth) {
            look_.error = ELOOP;
            return;
        }
        const int raw = fd.get();
        // Without a descriptor errno says why it was not opened, and not EBADF.
        const std::unique_ptr<DIR, CloseDir> dir(fd ? ::fdopendir(raw) : nullptr);
        if (!dir) {
            look_.error = errno;
            return;
        }
        fd.release();  // the DIR owns it now
        while (const dirent* entry = ::readdir(dir.get())) {
            const std::string_view name(entry->d_name);
            if (name != "." && name != "..") consider(raw, entry->d_name, depth);
        }
    }

  private:
    void consider(int at, const char* name, int depth) {
        struct stat status{};
        if (::fstatat(at, name, &status, AT_SYMLINK_NOFOLLOW) != 0) return;
        const FileSample one = sample_of(status);
        std::uint64_t print = mix(std::hash<std::string_view>()(name), one.ino);
        if (S_ISREG(status.st_mode)) look_.sample.size += one.size;
        // The sum does not depend on the order in which readdir gives the names.
        for (const std::uint64_t part :
             {one.size, static_cast<std::uint64_t>(one.mtime_ns),
              static_cast<std::uint64_t>(one.ctime_ns), static_cast<std::uint64_t>(depth)}) {
            print = mix(print, part);
        }
        look_.sample.ctime_ns =
            static_cast<std::int64_t>(static_cast<std::uint64_t>(look_.sample.ctime_ns) + print);
        look_.sample.mtime_ns = std::max(look_.sample.mtime_ns, one.mtime_ns);
        if (S_ISDIR(status.st_mode)) {
            enter(at, name, depth);
        } else if (S_ISREG(status.st_mode) && prove_) {
            prove(at, name);
        }
    }

    void enter(int at, const char* name, int depth) {
        Fd below(::openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (below) {
            folder(std::move(below), depth + 1);
        } else if (errno != ENOENT) {
            look_.error = errno;
        }
    }

    void prove(int at, const char* name) {
        const Fd file(::openat(at, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
        if (!file) {
            if (errno == EAGAIN) look_.leases = LeaseAnswer::writers;
            if (errno == EACCES || errno == EPERM) look_.error = errno;
            return;
        }
        const LeaseAnswer answer = ReadLease(file.get()).answer();
        if (answer == LeaseAnswer::writers || look_.leases == LeaseAnswer::held) {
            look_.leases = answer;
        }
    }

    TreeLook& look_;
    bool prove_;
};
}  // namespace

TreeLook look_at_tree(const Fd& top, bool prove) {
    TreeLook look;
    struct stat status{};
    if (::fstat(top.get(), &status) != 0) {
        look.error = errno;
        return look;
    }
    look.sample = sample_of(status);
    // Its own times change when it is renamed; what is below it says more.
    look.sample.size = 0;
    look.sample.ctime_ns = 0;
    Walk walk(look, prove);
    walk.folder(Fd(::openat(top.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)), 1);
    return look;
}

}  // namespace musher::hotfolder
