#include "reactor/tree/tree_copy.h"

#include <fcntl.h>

#include <cerrno>

#include "reactor/loop/offload.h"
#include "reactor/tree/copied_folder.h"

namespace musher {

namespace {
/// The root of a copy, open on both sides.
Result<std::shared_ptr<CopiedFolder>> open_root(TreeCopy& copy, const std::string& from, Fd to) {
    MUSHER_TRY(Fd source, Fd::open(from, O_RDONLY | O_DIRECTORY));
    struct stat info{};
    if (::fstat(to.get(), &info) != 0) return fail(errno_error(errno, "reading the copy"));
    copy.root = to.get();
    copy.root_dev = info.st_dev;
    copy.root_ino = info.st_ino;
    return std::make_shared<CopiedFolder>(copy, std::move(source), std::move(to), from);
}
}  // namespace

Task<Result<TreeTotals>> copy_tree(Loop& loop, std::string from, Fd to, TreeCopyOptions options,
                                   Cancel& cancel) {
    TreeCopy copy;
    auto open = [&] { return open_root(copy, from, std::move(to)); };
    MUSHER_CO_TRY(std::shared_ptr<CopiedFolder> root, co_await offload(loop, open));
    if (options.on_progress) {
        options.crew.on_turn = [&] { options.on_progress(copy.counters.now()); };
    }
    Crew crew(loop, options.crew);
    MUSHER_CO_DO(co_await crew.run(std::move(root), cancel));
    co_return copy.counters.now();
}

}  // namespace musher
