#include "reactor/tree/tree_compare.h"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "reactor/base/digest.h"
#include "reactor/base/text.h"
#include "reactor/loop/offload.h"
#include "reactor/tree/folder_walk.h"

namespace musher {

namespace {
constexpr std::size_t kMostShown = 100;

struct Comparing {
    bool trust_times = false;
    TreeCounters counters;
    std::mutex mutex;  // of what follows
    std::uint64_t count = 0;
    std::uint64_t extra = 0;
    std::vector<std::string> shown;

    Result<void> differs(const std::string& place, const char* how) {
        const std::lock_guard lock(mutex);
        if (++count <= kMostShown) shown.push_back(escape_name(place) + ": " + how);
        return {};
    }
};

/// Hex, of all that is left to read.
Result<std::string> digest_of(int file, Slice& buffer) {
    Digest digest(DigestKind::sha256);
    for (;;) {
        const ssize_t got = ::read(file, buffer.data(), buffer.capacity());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail(errno_error(errno, "reading it"));
        if (got == 0) return digest.hex();
        buffer.resize(static_cast<std::size_t>(got));
        digest.update(buffer.view());
    }
}

/// Whether opening says that another kind of file has the name. Anything else, such as too few
/// descriptors or rights, says nothing of the copy.
bool is_other_kind(int number) {
    return number == ENOTDIR || number == ELOOP || number == ENXIO;  // ENXIO: a socket
}

class ComparedFolder final : public FolderWalk {
  public:
    ComparedFolder(Comparing& run, Fd original, Fd copy, const std::string& path)
        : FolderWalk(std::move(original), path), run_(run), copy_(std::move(copy)) {}
    ComparedFolder(const std::shared_ptr<ComparedFolder>& above, const char* name)
        : FolderWalk(above, name), run_(above->run_), place_(above->place_ + name + "/") {}

  protected:
    Result<void> begin() override {
        if (!above()) return {};
        const int parent = static_cast<const ComparedFolder*>(above())->copy_.get();
        if (parent < 0) return {};
        copy_.reset(::openat(parent, name(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (copy_) return {};
        const std::string place = place_.substr(0, place_.size() - 1);
        if (errno == ENOENT) return run_.differs(place, "is missing");
        if (is_other_kind(errno)) return run_.differs(place, "is no folder in the copy");
        return fail(errno_error(errno, "opening the copy of " + path()));
    }
    Result<void> visit(const FolderEntry& entry, Hand& hand) override {
        if (!copy_) return {};  // said of the folder
        const char* name = entry.name;
        Result<void> done;
        if (entry.type == DT_DIR) {
            ++run_.counters.folders;
            auto self = std::static_pointer_cast<ComparedFolder>(shared_from_this());
            hand.found.push_back(std::make_shared<ComparedFolder>(self, name));
        } else if (entry.type == DT_REG) {
            done = compare_file(name, hand.buffer);
        } else if (entry.type == DT_LNK) {
            done = compare_link(name);
        } else {
            ++run_.counters.skipped;
        }
        if (!done) return fail(std::move(done).error().within(path_of(name)));
        return done;
    }
    Result<void> end() override {
        if (!copy_) return {};
        return look_for_more();
    }

  private:
    Result<void> compare_file(const char* name, Slice& buffer);
    Result<void> compare_link(const char* name);
    Result<void> look_for_more();

    Comparing& run_;
    std::string place_;
    Fd copy_;
};

Result<void> ComparedFolder::compare_file(const char* name, Slice& buffer) {
    ++run_.counters.files;
    const Fd original(::openat(fd(), name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!original) return fail(source_error(errno, "opening it"));
    const Fd copy(::openat(copy_.get(), name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!copy) {
        if (errno == ENOENT) return run_.differs(place_ + name, "is missing");
        if (is_other_kind(errno)) return run_.differs(place_ + name, "is no file in the copy");
        return fail(errno_error(errno, "opening its copy"));
    }
    struct stat here{}, there{};
    if (::fstat(original.get(), &here) != 0 || ::fstat(copy.get(), &there) != 0) {
        return fail(errno_error(errno, "reading it"));
    }
    if (!S_ISREG(here.st_mode)) return fail(changed());
    if (!S_ISREG(there.st_mode)) return run_.differs(place_ + name, "is no file in the copy");
    run_.counters.bytes += static_cast<std::uint64_t>(here.st_size);
    if (here.st_size != there.st_size) return run_.differs(place_ + name, "has another size");
    if (run_.trust_times && same_time(here.st_mtim, there.st_mtim)) return {};
    // Pages that are on disk already are read from there again.
    ::posix_fadvise(copy.get(), 0, 0, POSIX_FADV_DONTNEED);
    MUSHER_TRY(const std::string wanted, digest_of(original.get(), buffer));
    MUSHER_TRY(const std::string found, digest_of(copy.get(), buffer));
    if (wanted != found) return run_.differs(place_ + name, "has another content");
    return {};
}

Result<void> ComparedFolder::compare_link(const char* name) {
    ++run_.counters.links;
    char here[4096], there[4096];
    const ssize_t wanted = ::readlinkat(fd(), name, here, sizeof here);
    if (wanted < 0) return fail(source_error(errno, "reading it"));
    const ssize_t found = ::readlinkat(copy_.get(), name, there, sizeof there);
    if (found < 0 && errno == ENOENT) return run_.differs(place_ + name, "is missing");
    if (found < 0 && errno == EINVAL) return run_.differs(place_ + name, "is no link in the copy");
    if (found < 0) return fail(errno_error(errno, "reading its copy"));
    const std::string_view target(here, static_cast<std::size_t>(wanted));
    if (target == std::string_view(there, static_cast<std::size_t>(found))) return {};
    return run_.differs(place_ + name, "points elsewhere");
}

/// Names that only the copy has.
Result<void> ComparedFolder::look_for_more() {
    std::vector<std::string> extra;
    for (;;) {
        MUSHER_TRY(const std::shared_ptr<const FolderWindow> window, read_window(copy_.get()));
        if (window->entries.empty()) break;
        for (const FolderEntry& entry : window->entries) {
            struct stat info{};
            if (::fstatat(fd(), entry.name, &info, AT_SYMLINK_NOFOLLOW) == 0) continue;
            if (errno != ENOENT) return fail(errno_error(errno, "reading " + path_of(entry.name)));
            extra.emplace_back(entry.name);
        }
    }
    for (const std::string& name : extra) {
        MUSHER_DO(run_.differs(place_ + name, "is in the copy alone"));
    }
    const std::lock_guard lock(run_.mutex);
    run_.extra += extra.size();
    return {};
}

struct Roots {
    Fd original, copy;
};
}  // namespace

Task<Result<TreeComparison>> compare_trees(Loop& loop, std::string original, std::string copy,
                                           TreeCompareOptions options, Cancel& cancel) {
    Comparing run;
    run.trust_times = options.trust_times;
    auto open = [&]() -> Result<Roots> {
        Roots roots;
        MUSHER_TRY(roots.original, Fd::open(original, O_RDONLY | O_DIRECTORY));
        MUSHER_TRY(roots.copy, Fd::open(copy, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
        return roots;
    };
    MUSHER_CO_TRY(Roots roots, co_await offload(loop, open));
    auto root = std::make_shared<ComparedFolder>(run, std::move(roots.original),
                                                 std::move(roots.copy), original);
    if (options.on_progress) {
        options.crew.on_turn = [&] { options.on_progress(run.counters.now()); };
    }
    Crew crew(loop, options.crew);
    MUSHER_CO_DO(co_await crew.run(std::move(root), cancel));
    TreeComparison comparison;
    comparison.totals = run.counters.now();
    comparison.differences = run.count;
    comparison.extra = run.extra;
    comparison.differing = std::move(run.shown);
    std::sort(comparison.differing.begin(), comparison.differing.end());
    co_return comparison;
}

}  // namespace musher
