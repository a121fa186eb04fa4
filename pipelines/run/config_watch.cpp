#include "pipelines/run/config_watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <filesystem>

#include "sources/inotify_watch.h"

namespace musher {

namespace {
namespace fs = std::filesystem;

constexpr int kMostLinks = 40;  // as the kernel's own limit
// A link or a hard link is made at once; an ordinary file that is created will be closed.
constexpr std::uint32_t kMask = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE |
                                IN_DELETE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

/// Adds the folders whose entries decide what `path` is, and returns what it is.
fs::path follow(const fs::path& path, WatchPoints& points, int& links) {
    fs::path real = path.root_path();
    const fs::path parts = path.relative_path();
    for (auto part = parts.begin(); part != parts.end(); ++part) {
        const fs::path here = (real / *part).lexically_normal();
        std::error_code failed;
        const bool link = fs::is_symlink(here, failed);
        const bool last = std::next(part) == parts.end();
        if (link || last || !fs::exists(here, failed)) {
            points[real.string()].insert(part->string());
        }
        real = here;
        if (!link || ++links > kMostLinks) continue;
        const fs::path target = fs::read_symlink(here, failed);
        if (!failed) {
            real = follow((here.parent_path() / target).lexically_normal(), points, links);
        }
    }
    return real;
}

void add_links(const fs::path& folder, WatchPoints& points) {
    std::error_code failed;
    std::vector<fs::path> links;
    for (fs::directory_iterator entry(folder, failed), end; !failed && entry != end;
         entry.increment(failed)) {
        std::error_code ignored;
        if (entry->is_symlink(ignored)) links.push_back(entry->path());
    }
    for (const fs::path& link : links) {
        int followed = 0;
        follow(link, points, followed);
    }
}
}  // namespace

WatchPoints watch_points(const std::vector<std::string>& paths) {
    WatchPoints points;
    std::vector<fs::path> folders;
    for (const std::string& path : paths) {
        int links = 0;
        const fs::path real = follow(fs::path(path).lexically_normal(), points, links);
        std::error_code failed;
        if (fs::is_directory(real, failed)) folders.push_back(real);
    }
    for (const fs::path& folder : folders) add_links(folder, points);
    for (const fs::path& folder : folders) points[folder.string()].clear();  // every name
    return points;
}

Result<std::unique_ptr<ConfigWatch>> ConfigWatch::open(Loop& loop, std::function<void()> changed) {
    Fd fd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    if (!fd) return fail(errno_error(errno, "starting inotify"));
    std::unique_ptr<ConfigWatch> watch(new ConfigWatch(std::move(fd), std::move(changed)));
    MUSHER_TRY(watch->poll_, Poll::open(loop, watch->fd_.get(), "config.inotify"));
    watch->poll_->start(UV_READABLE, [self = watch.get()](int, int) { self->drain(); });
    return watch;
}

ConfigWatch::ConfigWatch(Fd fd, std::function<void()> changed)
    : fd_(std::move(fd)), changed_(std::move(changed)) {}

ConfigWatch::~ConfigWatch() {
    if (poll_) poll_->stop();
}

ConfigWatch::Watched ConfigWatch::add(const WatchPoints& points) const {
    Watched watched;
    for (const auto& [folder, wanted] : points) {
        const int wd = ::inotify_add_watch(fd_.get(), folder.c_str(), kMask);
        if (wd >= 0) watched[wd] = wanted;
    }
    return watched;
}

void ConfigWatch::adopt(Watched watched) {
    for (const auto& [wd, wanted] : watched_) {
        if (!watched.contains(wd)) ::inotify_rm_watch(fd_.get(), wd);
    }
    watched_ = std::move(watched);
}

void ConfigWatch::drain() {
    alignas(inotify_event) char buffer[16 << 10];
    bool matters = false;
    for (;;) {
        const ssize_t got = ::read(fd_.get(), buffer, sizeof buffer);
        if (got <= 0) break;
        std::string_view bytes(buffer, static_cast<std::size_t>(got));
        while (const auto record = hotfolder::next_record(bytes)) {
            const auto folder = watched_.find(record->wd);
            if (folder == watched_.end()) {
                // Added just now, or an overflow; what was removed says IN_IGNORED.
                matters = matters || (record->mask & IN_IGNORED) == 0;
                continue;
            }
            const std::set<std::string>& wanted = folder->second;
            matters = matters || record->name.empty() || wanted.empty() ||
                      wanted.contains(std::string(record->name));
        }
    }
    if (matters) changed_();
}

}  // namespace musher
