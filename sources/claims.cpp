#include "sources/claims.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "reactor/base/uuid.h"
#include "sources/look.h"
#include "sources/tree_sample.h"
#include "sources/work_path.h"

namespace musher::hotfolder {

namespace {
constexpr int kFolderFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

struct CloseDir {
    void operator()(DIR* dir) const { ::closedir(dir); }
};

Result<std::vector<std::string>> names_in(const Fd& folder) {
    Fd again(::openat(folder.get(), ".", kFolderFlags));
    const std::unique_ptr<DIR, CloseDir> dir(again ? ::fdopendir(again.get()) : nullptr);
    if (!dir) return fail(errno_error(errno, "reading the work folder"));
    again.release();  // the DIR owns it now
    std::vector<std::string> names;
    while (const dirent* entry = ::readdir(dir.get())) {
        const std::string name = entry->d_name;
        if (name != "." && name != "..") names.push_back(name);
    }
    return names;
}

class Walk {
  public:
    explicit Walk(const Premises& premises) : premises_(premises) {}

    /// `mirror` is relative to the work folder: "" or "=a/=b/". As deep as a path is long.
    Result<void> folder(const Fd& at, const std::string& mirror) {
        MUSHER_TRY(const std::vector<std::string> names, names_in(at));
        for (const std::string& name : names) {
            if (name.starts_with('=')) {
                const Fd below(::openat(at.get(), name.c_str(), kFolderFlags));
                if (below) MUSHER_DO(folder(below, mirror + name + "/"));
                ::unlinkat(at.get(), name.c_str(), AT_REMOVEDIR);  // only when it is empty
            } else if (const auto claim = parse_claim_name(name)) {
                MUSHER_DO(entry(at, mirror, name, *claim));
            }
        }
        return {};
    }

    std::vector<Claim> found;

  private:
    Result<void> entry(const Fd& at, const std::string& mirror, const std::string& name,
                       const ClaimName& parsed) {
        Claim claim;
        claim.id = parsed.id;
        claim.name = parsed.name;
        claim.subfolder = unmirror(mirror.substr(0, mirror.empty() ? 0 : mirror.size() - 1));
        claim.path = premises_.work_path + "/" + mirror + name;
        if (!parsed.own_folder) {
            found.push_back(std::move(claim));
            return {};
        }
        const Fd own(::openat(at.get(), name.c_str(), kFolderFlags));
        if (!own) return {};
        MUSHER_TRY(const std::vector<std::string> inner, names_in(own));
        if (inner.empty()) {
            // kill -9 between making the folder and the claim, or after the original had left it.
            ::unlinkat(at.get(), name.c_str(), AT_REMOVEDIR);
            return {};
        }
        claim.name = inner.front();
        claim.path += "/" + inner.front();
        found.push_back(std::move(claim));
        return {};
    }

    const Premises& premises_;
};
}  // namespace

Result<std::vector<Claim>> list_claims(const Premises& premises) {
    if (!premises.work) return std::vector<Claim>();
    Walk walk(premises);
    MUSHER_DO(walk.folder(premises.work, ""));
    return std::move(walk.found);
}

void leave_claim(const std::string& path) {
    if (!parse_work_path(path)) return;
    std::string folder = path.substr(0, path.rfind('/'));
    for (;;) {
        const std::size_t slash = folder.rfind('/');
        const std::string_view name = std::string_view(folder).substr(slash + 1);
        if (!name.starts_with('=') && !is_uuid(name)) return;
        if (::rmdir(folder.c_str()) != 0 && errno != ENOENT) return;
        folder.resize(slash);
    }
}

bool look_at_claim(const std::string& path, FileSample& sample, int& hops) {
    struct stat status{};
    if (::lstat(path.c_str(), &status) != 0) return false;
    sample = sample_of(status);
    const Result<Fd> opened = Fd::open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (opened && S_ISREG(status.st_mode)) hops = read_hops(opened->get());
    if (opened && S_ISDIR(status.st_mode)) sample = look_at_tree(*opened, false).sample;
    return true;
}

}  // namespace musher::hotfolder
