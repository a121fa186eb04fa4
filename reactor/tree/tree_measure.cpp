#include "reactor/tree/tree_measure.h"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <set>

#include "reactor/loop/offload.h"
#include "reactor/tree/folder_walk.h"

namespace musher {

namespace {

constexpr off_t kLinkInInode = 60;  // a target that is shorter has no block of its own
constexpr std::uint64_t kBlock = 4096;

/// Of a copy: holes take none, and what is reserved past the end is not copied.
std::uint64_t room_of(const struct stat& info) {
    const std::uint64_t whole = (static_cast<std::uint64_t>(info.st_size) + kBlock - 1) / kBlock;
    return std::min(static_cast<std::uint64_t>(info.st_blocks) * 512, whole * kBlock);
}

/// Differs between any two states of an entry that a copy would tell apart.
std::uint64_t mix(const struct stat& info) {
    std::uint64_t mixed = 0;
    for (const std::uint64_t part :
         {static_cast<std::uint64_t>(info.st_ino), static_cast<std::uint64_t>(info.st_size),
          static_cast<std::uint64_t>(info.st_mtim.tv_sec),
          static_cast<std::uint64_t>(info.st_mtim.tv_nsec)}) {
        mixed = (mixed ^ part) * 0x9e3779b97f4a7c15U;
        mixed ^= mixed >> 32;
    }
    return mixed;
}

struct Measuring {
    TreeCounters counters;
    std::atomic<std::uint64_t> inodes = 0, state = 0;
    std::mutex mutex;  // of what follows
    std::set<std::pair<dev_t, ino_t>> linked;
    std::string sample;

    /// Whether this is the first name of its file.
    bool first(const struct stat& info) {
        const std::lock_guard lock(mutex);
        return linked.emplace(info.st_dev, info.st_ino).second;
    }
    void offer(std::string path) {
        const std::lock_guard lock(mutex);
        if (sample.empty()) sample = std::move(path);
    }
};

class MeasuredFolder final : public FolderWalk {
  public:
    MeasuredFolder(Measuring& run, Fd folder, const std::string& path)
        : FolderWalk(std::move(folder), path), run_(run) {}
    MeasuredFolder(const std::shared_ptr<MeasuredFolder>& above, const char* name)
        : FolderWalk(above, name), run_(above->run_) {}

  protected:
    Result<void> begin() override {
        struct stat info{};
        if (::fstat(fd(), &info) != 0) return fail(errno_error(errno, "reading " + path()));
        run_.state += mix(info);
        return {};
    }
    Result<void> end() override { return {}; }
    Result<void> visit(const FolderEntry& entry, Hand& hand) override {
        if (entry.type == DT_DIR) {
            ++run_.counters.folders;
            auto self = std::static_pointer_cast<MeasuredFolder>(shared_from_this());
            hand.found.push_back(std::make_shared<MeasuredFolder>(self, entry.name));
        } else if (entry.type == DT_LNK || entry.type == DT_REG) {
            return add(entry.name);
        } else {
            ++run_.counters.skipped;
        }
        return {};
    }

  private:
    Result<void> add(const char* name) {
        struct stat info{};
        if (::fstatat(fd(), name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
            return fail(error(errno, "reading", name));
        }
        run_.state += mix(info);
        const bool link = S_ISLNK(info.st_mode);
        ++(link ? run_.counters.links : run_.counters.files);
        if (info.st_nlink > 1 && !run_.first(info)) return {};
        ++run_.inodes;
        if (link) {
            if (info.st_size >= kLinkInInode) run_.counters.allocated += kBlock;
            return {};
        }
        run_.counters.bytes += static_cast<std::uint64_t>(info.st_size);
        run_.counters.allocated += room_of(info);
        if (info.st_size > 0 && run_.counters.files < 100) run_.offer(path_of(name));
        return {};
    }
    Measuring& run_;
};
}  // namespace

Task<Result<TreeMeasure>> measure_tree(Loop& loop, std::string path, CrewOptions options,
                                       Cancel& cancel) {
    Measuring run;
    auto open = [&] { return Fd::open(path, O_RDONLY | O_DIRECTORY); };
    MUSHER_CO_TRY(Fd folder, co_await offload(loop, open));
    auto root = std::make_shared<MeasuredFolder>(run, std::move(folder), path);
    Crew crew(loop, std::move(options));
    MUSHER_CO_DO(co_await crew.run(std::move(root), cancel));
    TreeMeasure measure;
    measure.totals = run.counters.now();
    measure.inodes = run.inodes + measure.totals.folders;
    measure.state = run.state;
    measure.sample = std::move(run.sample);
    co_return measure;
}

}  // namespace musher
