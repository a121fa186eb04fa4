#include "reactor/tree/tree_draft.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "reactor/base/text.h"
#include "reactor/base/uuid.h"
#include "reactor/drivers/atomic_file.h"

namespace musher {

namespace {
constexpr std::string_view kDraft = ".tmp.";
constexpr std::string_view kTrash = ".trash.";
constexpr std::size_t kMarkDigits = 12;

std::string nameless(const std::string& folder, const std::string& name, std::string_view kind) {
    return folder + "/." + name + std::string(kind) + new_uuid7(0).substr(36 - kMarkDigits);
}

/// Open and locked; no descriptor where it is no folder, or somebody works on it.
Fd hold(const std::string& path) {
    Fd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (folder && ::flock(folder.get(), LOCK_EX | LOCK_NB) != 0) {
        const int number = errno;
        folder.reset();
        errno = number;
    }
    return folder;
}

Failure failed(const char* what, const std::string& path) {
    return fail(errno_error(errno, std::string(what) + " " + escape_name(path)));
}

/// Whether the path still leads to the open folder.
bool is_there(const NamelessTree& tree) {
    struct stat here{}, there{};
    return ::fstat(tree.lock.get(), &here) == 0 && ::lstat(tree.path.c_str(), &there) == 0 &&
           here.st_dev == there.st_dev && here.st_ino == there.st_ino;
}

struct CloseDir {
    void operator()(DIR* opened) const { ::closedir(opened); }
};

/// A new folder, held. Between the two steps somebody who sweeps may hold it, or remove it: then
/// another one.
Result<NamelessTree> make_held(const std::string& folder, const std::string& name) {
    for (;;) {
        NamelessTree draft;
        draft.path = nameless(folder, name, kDraft);
        if (::mkdir(draft.path.c_str(), 0700) != 0) return failed("making", draft.path);
        draft.lock = hold(draft.path);
        if (draft.lock && is_there(draft)) return draft;
        const bool swept = draft.lock || errno == EWOULDBLOCK || errno == ENOENT;
        Failure failure = failed("locking", draft.path);
        ::rmdir(draft.path.c_str());
        if (!swept) return failure;
    }
}

/// A set-group-id bit and default rights of the folder around it would go into everything below.
Result<void> take_rights(const NamelessTree& draft) {
    for (const char* rights : {"system.posix_acl_default", "system.posix_acl_access"}) {
        ::fremovexattr(draft.lock.get(), rights);
    }
    const bool given = ::fchown(draft.lock.get(), static_cast<uid_t>(-1), ::getegid()) == 0;
    if ((!given && errno != EPERM) || ::fchmod(draft.lock.get(), 0700) != 0) {
        return failed("setting the rights of", draft.path);
    }
    return {};
}
}  // namespace

bool is_nameless(std::string_view entry, const std::string& name) {
    for (const std::string_view kind : {kDraft, kTrash}) {
        if (entry.size() < 2 + kind.size() + kMarkDigits || entry.front() != '.') continue;
        const std::string_view mark = entry.substr(entry.size() - kMarkDigits);
        const std::string_view rest = entry.substr(1, entry.size() - 1 - kMarkDigits);
        if (mark.find_first_not_of("0123456789abcdef") != std::string_view::npos) continue;
        if (!rest.ends_with(kind)) continue;
        if (name.empty() || rest.substr(0, rest.size() - kind.size()) == name) return true;
    }
    return false;
}

Result<NamelessTree> make_draft(const std::string& folder, const std::string& name) {
    MUSHER_TRY(NamelessTree draft, make_held(folder, name));
    Result<void> done = take_rights(draft);
    if (!done) {
        ::rmdir(draft.path.c_str());
        return fail(std::move(done).error());
    }
    return draft;
}

Result<void> sync_draft(const NamelessTree& draft) {
    if (::syncfs(draft.lock.get()) != 0) return failed("syncing", draft.path);
    return {};
}

Result<void> publish_draft(const NamelessTree& draft, const std::string& folder,
                           const std::string& name) {
    const std::string path = folder + "/" + name;
    const auto rename = [&](unsigned flags) {
        return ::renameat2(AT_FDCWD, draft.path.c_str(), AT_FDCWD, path.c_str(), flags);
    };
    MUSHER_TRY(const Fd around, open_folder(folder));
    int done = rename(RENAME_NOREPLACE);
    // Without the flag a rename still replaces no folder but an empty one.
    if (done != 0 && (errno == EINVAL || errno == ENOSYS)) done = rename(0);
    if (done != 0) return failed("giving a copy its name", path);
    return sync_folder(around, folder);
}

Result<NamelessTree> make_trash(const std::string& folder, const std::string& name) {
    const std::string path = folder + "/" + name;
    NamelessTree trash;
    trash.path = nameless(folder, name, kTrash);
    MUSHER_TRY(const Fd around, open_folder(folder));
    trash.lock = hold(path);
    if (::rename(path.c_str(), trash.path.c_str()) != 0) return failed("taking away", path);
    MUSHER_DO(sync_folder(around, folder));
    return trash;
}

Result<void> check_open(const NamelessTree& tree) {
    if (!tree.closed) return {};
    return fail(errno_error(EACCES, "removing " + escape_name(tree.path)));
}

Result<std::vector<NamelessTree>> find_leftovers(const std::string& folder,
                                                 const std::string& name) {
    const std::unique_ptr<DIR, CloseDir> opened(::opendir(folder.c_str()));
    if (!opened) return failed("reading", folder);
    std::vector<NamelessTree> found;
    while (const dirent* entry = ::readdir(opened.get())) {
        if (!is_nameless(entry->d_name, name)) continue;
        NamelessTree one;
        one.path = folder + "/" + entry->d_name;
        one.lock = hold(one.path);
        one.closed = !one.lock && errno == EACCES;
        if (one.lock || one.closed) found.push_back(std::move(one));
    }
    std::sort(found.begin(), found.end(),
              [](const NamelessTree& a, const NamelessTree& b) { return a.path < b.path; });
    return found;
}

}  // namespace musher
