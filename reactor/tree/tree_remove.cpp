#include "reactor/tree/tree_remove.h"

#include <dirent.h>
#include <fcntl.h>

#include <cerrno>

#include "reactor/loop/offload.h"
#include "reactor/tree/folder_walk.h"

namespace musher {

namespace {

class RemovedFolder final : public FolderWalk {
  public:
    RemovedFolder(Fd folder, const std::string& path) : FolderWalk(std::move(folder), path) {}
    RemovedFolder(std::shared_ptr<RemovedFolder> above, const char* name)
        : FolderWalk(std::move(above), name) {}

  protected:
    Result<void> begin() override {
        struct stat info{};
        if (::fstat(fd(), &info) != 0) return fail(errno_error(errno, "reading " + path()));
        const bool locked = (info.st_mode & S_IRWXU) != S_IRWXU;
        if (locked) static_cast<void>(::fchmod(fd(), info.st_mode | S_IRWXU));
        return {};
    }
    Result<void> visit(const FolderEntry& entry, Hand& hand) override {
        if (entry.type == DT_DIR) {
            auto self = std::static_pointer_cast<RemovedFolder>(shared_from_this());
            hand.found.push_back(std::make_shared<RemovedFolder>(std::move(self), entry.name));
            return {};
        }
        if (::unlinkat(fd(), entry.name, 0) == 0 || errno == ENOENT) return {};
        return fail(error(errno, "removing", entry.name));
    }
    Result<void> end() override {
        if (!above()) return {};
        const int parent = static_cast<const RemovedFolder*>(above())->fd();
        if (::unlinkat(parent, name(), AT_REMOVEDIR) == 0 || errno == ENOENT) return {};
        return fail(errno_error(errno, "removing " + path()));
    }
    bool may_vanish() const override { return true; }
};
}  // namespace

Task<Result<void>> remove_tree(Loop& loop, std::string path, CrewOptions options, Cancel& cancel) {
    auto open = [&] { return Fd::open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW); };
    Result<Fd> folder = co_await offload(loop, open);
    if (!folder && folder.error().code == Errc::not_found) co_return Result<void>();
    if (!folder) co_return fail(std::move(folder).error());
    auto root = std::make_shared<RemovedFolder>(std::move(*folder), path);
    Crew crew(loop, std::move(options));
    MUSHER_CO_DO(co_await crew.run(std::move(root), cancel));
    auto remove = [&]() -> Result<void> {
        if (::rmdir(path.c_str()) == 0 || errno == ENOENT) return {};
        return fail(errno_error(errno, "removing " + path));
    };
    co_return co_await offload(loop, remove);
}

}  // namespace musher
