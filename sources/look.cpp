#include "sources/look.h"

#include <sys/stat.h>
#include <sys/xattr.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <climits>

#include "reactor/drivers/atomic_file.h"
#include "sources/claims.h"
#include "sources/lease_probe.h"
#include "sources/tree_sample.h"
#include "sources/work_path.h"

namespace musher::hotfolder {

namespace {
// Around a name in failed/: "-<job>", and ".<name>.report.json.musher-tmp-<12 digits>".
constexpr std::size_t kAround = 37 + 37;
constexpr int kTries = 100;  // to keep a work folder: each is lost to a claim that leaves
constexpr int kFileFlags = O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC;

LookResult found(Finding finding, const FileSample& sample = {}, int error = 0) {
    LookResult result;
    result.outcome = Outcome{finding, sample, error};
    return result;
}

LookResult failed(int error, const FileSample& sample = {}) {
    switch (error) {
        case ENOENT:
        case ENOTDIR:
        case ESTALE:
            return found(Finding::gone);
        case ELOOP:
        case ENXIO:
            return found(Finding::odd);
        case EAGAIN:  // somebody holds an exclusive oplock or lease; the kernel asks for it now
            return found(Finding::writing, sample);
        case EACCES:
        case EPERM:
        case EROFS:
            return found(Finding::denied, sample, error);
        default:
            return found(Finding::broken, sample, error);
    }
}

bool exists(const Fd& folder, const std::string& path) {
    struct stat status{};
    return ::fstatat(folder.get(), path.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
}
}  // namespace

int read_hops(int fd) {
    char text[16];
    const ssize_t size = ::fgetxattr(fd, kHopsAttribute, text, sizeof text);
    int hops = 0;
    if (size > 0) std::from_chars(text, text + size, hops);
    return std::clamp(hops, 0, 1000);
}

Looker::Looker(std::shared_ptr<const Premises> premises, const LookRules& rules)
    : premises_(std::move(premises)), rules_(rules) {}

const Fd* Looker::folder(const std::string& subfolder) {
    if (folder_ && folder_name_ == subfolder) return &folder_;
    folder_ = open_beneath(premises_->root, subfolder);
    folder_name_ = subfolder;
    if (!folder_) return nullptr;
    // A mount inside the hot folder has its own ways.
    traits_ = traits_of(folder_).value_or(FsTraits());
    return &folder_;
}

LookResult Looker::look(const LookRequest& request) {
    const Fd* at_folder = folder(request.subfolder);
    if (!at_folder) return failed(errno);
    LookResult result = at(*at_folder, request);
    if (result.outcome.finding == Finding::steady) {
        result.path = premises_->folder == "/" ? "" : premises_->folder;
        result.path += "/" + join_relative(request.subfolder, request.look.name);
        result.id = standing_id(result.path, result.outcome.sample, traits_.stable_inodes);
    }
    return result;
}

LookResult Looker::at(const Fd& folder, const LookRequest& request) {
    struct stat status{};
    if (::fstatat(folder.get(), request.look.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
        return failed(errno);
    }
    if (rules_.whole_folders ? !S_ISDIR(status.st_mode) : !S_ISREG(status.st_mode)) {
        return found(Finding::odd);
    }
    if (rules_.whole_folders) return open_tree(folder, request);
    const FileSample sample = sample_of(status);
    if (request.look.sample_only) return found(Finding::sampled, sample);
    if (rules_.marker.set() && !exists(folder, rules_.marker.path_for(request.look.name))) {
        return found(Finding::marker_missing, sample);
    }
    if (request.look.expected && *request.look.expected != sample) {
        return found(Finding::changed, sample);
    }
    if (sample.size < rules_.min_size) return found(Finding::too_small, sample);
    return open_file(folder, request, sample);
}

LookResult Looker::open_file(const Fd& folder, const LookRequest& request,
                             const FileSample& sample) {
    const Fd file(::openat(folder.get(), request.look.name.c_str(), kFileFlags));
    if (!file) return failed(errno, sample);
    struct stat status{};
    if (::fstat(file.get(), &status) != 0) return failed(errno, sample);
    if (!sample_of(status).same_inode(sample)) return found(Finding::changed, sample_of(status));
    if (!traits_.leases) {
        if (!request.look.trust_quiet) return found(Finding::unprovable, sample);
        return claim(folder, request, file, sample);
    }
    // Held over the rename: whoever wants to write meanwhile waits at the door and is seen.
    const ReadLease lease(file.get());
    if (lease.answer() == LeaseAnswer::writers) return found(Finding::writing, sample);
    if (lease.answer() == LeaseAnswer::refused) {
        if (!request.look.trust_quiet) return found(Finding::unprovable, sample);
        return claim(folder, request, file, sample);
    }
    LookResult result = claim(folder, request, file, sample);
    result.proven = true;
    if (result.outcome.finding == Finding::claimed && !lease.unbroken()) {
        if (put_back(folder, request.look.name, result.path)) {
            return found(Finding::writing, sample);
        }
        result.astray = true;
        result.outcome.finding = Finding::gone;
    }
    return result;
}

LookResult Looker::open_tree(const Fd& folder, const LookRequest& request) {
    const Fd top(::openat(folder.get(), request.look.name.c_str(),
                          O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!top) return failed(errno);
    const bool prove = !request.look.sample_only && traits_.leases;
    const TreeLook tree = look_at_tree(top, prove);
    if (tree.error != 0) return failed(tree.error, tree.sample);
    if (request.look.sample_only) return found(Finding::sampled, tree.sample);
    if (rules_.marker.set() && !exists(folder, rules_.marker.path_for(request.look.name))) {
        return found(Finding::marker_missing, tree.sample);
    }
    if (request.look.expected && *request.look.expected != tree.sample) {
        return found(Finding::changed, tree.sample);
    }
    if (tree.sample.size < rules_.min_size) return found(Finding::too_small, tree.sample);
    if (tree.leases == LeaseAnswer::writers) return found(Finding::writing, tree.sample);
    const bool proven = prove && tree.leases == LeaseAnswer::held;
    if (!proven && !request.look.trust_quiet) return found(Finding::unprovable, tree.sample);
    LookResult result = claim(folder, request, top, tree.sample);
    result.proven = proven;
    if (result.outcome.finding == Finding::denied) {
        // Another's folder cannot change its parent: it is worked on where it stands.
        return found(Finding::steady, tree.sample);
    }
    return result;
}

/// As a path that people and steps can open, here and where it goes when its job has ended.
bool Looker::fits(const LookRequest& request) const {
    const std::size_t relative = join_relative(request.subfolder, request.look.name).size() + 1;
    const std::size_t ended = rules_.longest_aside + relative + kAround;
    return std::max(premises_->folder.size() + relative, ended) < PATH_MAX;
}

LookResult Looker::claim(const Fd& folder, const LookRequest& request, const Fd& item,
                         const FileSample& sample) {
    if (!fits(request)) return failed(ENAMETOOLONG, sample);
    LookResult result = found(Finding::steady, sample);
    if (!rules_.whole_folders) result.hops = read_hops(item.get());
    if (!request.look.claim || request.keep_name || rules_.in_place) return result;
    const std::string mirror = mirror_of(request.subfolder);
    const std::string entry = claim_name(request.id, request.look.name, rules_.whole_folders);
    if (premises_->work_path.size() + 1 + mirror.size() + entry.size() >= PATH_MAX) {
        return failed(ENAMETOOLONG, sample);
    }
    if (!rename_into_work(folder, request, mirror, entry)) {
        // A mount inside the folder, or a folder's name too long for a mirror's: worked on where
        // it stands.
        if (errno == EXDEV || errno == ENAMETOOLONG) return result;
        return failed(errno, sample);
    }
    struct stat status{};
    const std::string claimed = mirror + entry;
    result.path = premises_->work_path + "/" + claimed;
    if (::fstatat(premises_->work.get(), claimed.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
        return failed(errno, sample);
    }
    const FileSample now = sample_of(status);
    if (!now.same_inode(sample)) {
        // Replaced between the proof and the rename: nothing is known of what was renamed.
        if (put_back(folder, request.look.name, result.path)) return found(Finding::changed, now);
        result.astray = true;
        result.outcome.finding = Finding::gone;
        return result;
    }
    const MarkerPattern& marker = rules_.marker;
    if (marker.set() && marker.per_file() && !marker.shared()) {
        // At once: the next file of this name may be on its way with a marker of its own. One that
        // lay inside a folder has gone with it.
        const std::string spent = marker.path_for(request.look.name);
        const bool inside = spent.starts_with(request.look.name + "/");
        if (!inside) ::unlinkat(folder.get(), spent.c_str(), 0);
    }
    result.outcome.finding = Finding::claimed;
    if (!rules_.whole_folders) result.outcome.sample = now;
    return result;
}

/// On false errno says why, and the file lies where it lay.
bool Looker::rename_into_work(const Fd& folder, const LookRequest& request,
                              const std::string& mirror_path, const std::string& entry) {
    const std::size_t slash = entry.find('/');
    const std::string own = slash == std::string::npos ? "" : entry.substr(0, slash + 1);
    const std::string name = entry.substr(own.size());
    int error = ENOENT;
    for (int tries = 0; tries < kTries; ++tries) {
        const Fd* into = mirror(mirror_path);
        if (into && !own.empty()) into = mirror(mirror_path + own);
        if (into &&
            ::renameat(folder.get(), request.look.name.c_str(), into->get(), name.c_str()) == 0) {
            return true;
        }
        error = errno;
        if (!own.empty()) touched_.erase(mirror_path + own);
        // A claim that left just now took the empty folder with it.
        const bool left = !mirror_path.empty() && (error == ENOENT || error == ESTALE);
        if (!left || !exists(folder, request.look.name)) break;
        touched_.erase(mirror_path);
    }
    leave_claim(premises_->work_path + "/" + mirror_path + entry);
    errno = error;
    return false;
}

/// Opens (and makes) a folder below the work folder, to be synced at the end.
const Fd* Looker::mirror(const std::string& relative) {
    const auto known = touched_.find(relative);
    if (known != touched_.end()) return &known->second;
    const std::string path = relative.substr(0, relative.empty() ? 0 : relative.size() - 1);
    Fd made = make_beneath(premises_->work, path, 0700);
    return made ? &touched_.emplace(relative, std::move(made)).first->second : nullptr;
}

bool Looker::put_back(const Fd& folder, const std::string& name, const std::string& claimed) {
    if (!rename_no_replace(claimed, path_of(folder) + "/" + name)) return false;
    leave_claim(claimed);
    return true;
}

Result<void> Looker::sync() {
    for (const auto& [relative, folder] : touched_) {
        if (::fsync(folder.get()) != 0 && errno != EINVAL) {
            return fail(errno_error(errno, "syncing " + premises_->work_path + "/" + relative));
        }
    }
    touched_.clear();
    return {};
}

}  // namespace musher::hotfolder
