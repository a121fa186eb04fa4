#include "sources/hotfolder.h"

#include <dirent.h>
#include <sys/inotify.h>

#include <filesystem>
#include <map>
#include <set>

#include "reactor/base/backoff.h"
#include "reactor/base/limits.h"
#include "reactor/base/log.h"
#include "reactor/base/text.h"
#include "reactor/base/uuid.h"
#include "reactor/drivers/files.h"
#include "reactor/loop/offload.h"
#include "reactor/loop/poll.h"
#include "sources/file_facts.h"

namespace musher {

namespace {

class Hotfolder final : public Source {
  public:
    Hotfolder(const Options& options, const SourceContext& context)
        : context_(context),
          path_(options.text("path")),
          work_(path_ + "/.musher/work"),
          match_(options.list("match")),
          settle_(options.duration("settle")),
          done_(options.text("done")),
          failed_(options.text("failed")),
          wake_(context.loop.ready()) {}

    Task<Result<void>> run(Cancel& stop) override;
    void pause() override { paused_ = true; }
    void resume() override {
        paused_ = false;
        look();
    }
    Task<Result<void>> settle(std::vector<Settlement> ended, Cancel&) override;
    Json status() const override {
        return Json{{"ok", trouble_.empty()}, {"detail", trouble_.empty() ? path_ : trouble_}};
    }
    Task<std::vector<Problem>> probe(Cancel&) override { co_return std::vector<Problem>(); }

  private:
    struct Accept final : Ticket {
        Hotfolder& owner;
        std::string id;
        Accept(Hotfolder& o, std::string i) : owner(o), id(std::move(i)) {}
        void accepted(bool) override {}
        void rejected(const Error&) override {}
    };
    struct Found {
        std::string name, id;
        struct stat info {};
    };
    void look() {
        dirty_ = true;
        wake_.wake_one();
    }
    Result<Fd> open_watch();
    std::vector<Found> scan_and_claim();
    Task<Result<void>> recover(Cancel& stop);
    Task<Result<void>> emit(std::vector<Found> found, Cancel& stop);
    std::string place(const std::string& folder) const {
        return folder.front() == '/' ? folder : path_ + "/" + folder;
    }
    bool wanted(const std::string& name) const;

    const SourceContext context_;
    std::string path_, work_;
    std::vector<std::string> match_;
    Duration settle_;
    std::string done_, failed_;
    Waiters wake_;
    bool dirty_ = true;
    bool paused_ = false;
    std::string trouble_;
    std::map<std::string, std::pair<std::int64_t, Instant>> seen_;
};

bool Hotfolder::wanted(const std::string& name) const {
    for (const char* ignored : {".*", "*.tmp", "*.part", "*.crdownload", "~$*"}) {
        if (glob_match(ignored, name, true)) return false;
    }
    for (const std::string& pattern : match_) {
        if (glob_match(pattern, name, true)) return true;
    }
    return false;
}

Result<Fd> Hotfolder::open_watch() {
    std::error_code failed;
    std::filesystem::create_directories(work_, failed);
    if (failed) return fail(errno_error(failed.value(), "creating " + work_));
    Fd fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!fd) return fail(errno_error(errno, "inotify"));
    if (::inotify_add_watch(fd.get(), path_.c_str(), IN_CLOSE_WRITE | IN_MOVED_TO) < 0) {
        return fail(errno_error(errno, "watching " + path_));
    }
    return fd;
}

std::vector<Hotfolder::Found> Hotfolder::scan_and_claim() {
    std::vector<Found> ready;
    DIR* opened = ::opendir(path_.c_str());
    if (!opened) return ready;
    const Instant now = context_.loop.clock().now();
    std::vector<Move> moves;
    while (const dirent* entry = ::readdir(opened)) {
        Found found;
        found.name = entry->d_name;
        if (!wanted(found.name)) continue;
        if (::fstatat(::dirfd(opened), entry->d_name, &found.info, AT_SYMLINK_NOFOLLOW) != 0) continue;
        if (!S_ISREG(found.info.st_mode)) continue;
        const std::int64_t stamp = found.info.st_mtim.tv_nsec + found.info.st_size * 31;
        auto& [last, since] = seen_[found.name];
        if (last != stamp) {
            last = stamp;
            since = now;
        }
        if (now - since < settle_) continue;
        found.id = new_uuid7(context_.loop.clock().wall_ms());
        moves.push_back(Move{path_ + "/" + found.name, work_ + "/" + found.id + "." + found.name});
        ready.push_back(std::move(found));
        if (ready.size() >= limits::kFileBatch) break;
    }
    ::closedir(opened);
    const auto moved = move_files(moves);
    std::vector<Found> claimed;
    for (std::size_t i = 0; i < ready.size(); ++i) {
        seen_.erase(ready[i].name);
        if (moved[i]) claimed.push_back(std::move(ready[i]));
    }
    return claimed;
}

Task<Result<void>> Hotfolder::emit(std::vector<Found> found, Cancel& stop) {
    for (Found& one : found) {
        Delivery delivery;
        delivery.event.id = one.id;
        delivery.event.kind = "hotfolder";
        delivery.event.facts = file_facts(path_ + "/" + one.name, one.info);
        delivery.event.file = work_ + "/" + one.id + "." + one.name;
        delivery.ticket = std::make_unique<Accept>(*this, one.id);
        MUSHER_CO_DO(co_await context_.out.send(std::move(delivery), stop));
    }
    co_return Result<void>();
}

Task<Result<void>> Hotfolder::recover(Cancel& stop) {
    std::vector<Found> all;
    auto list = [&] {
        for (const auto& entry : std::filesystem::directory_iterator(work_)) {
            Found found;
            const std::string name = entry.path().filename().string();
            if (name.size() < 38 || ::lstat(entry.path().c_str(), &found.info) != 0) continue;
            found.id = name.substr(0, 36);
            found.name = name.substr(37);
            all.push_back(std::move(found));
        }
        return 0;
    };
    co_await offload(context_.loop, list);
    std::vector<std::string> ids;
    for (const Found& found : all) ids.push_back(found.id);
    MUSHER_CO_TRY(const std::vector<Presence> known, co_await context_.ledger.find(ids, stop));
    std::vector<Found> lost;
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (known[i] == Presence::unknown) lost.push_back(all[i]);
        if (known[i] != Presence::done && known[i] != Presence::dead) continue;
        MUSHER_CO_TRY(Settlement ended, co_await context_.ledger.settlement(all[i].id, stop));
        std::vector<Settlement> one;
        one.push_back(std::move(ended));
        MUSHER_CO_DO(co_await settle(std::move(one), stop));
    }
    co_return co_await emit(std::move(lost), stop);
}

Task<Result<void>> Hotfolder::run(Cancel& stop) {
    auto open = [this] { return open_watch(); };
    MUSHER_CO_TRY(const Fd fd, co_await offload(context_.loop, open));
    MUSHER_CO_DO(co_await recover(stop));
    MUSHER_CO_TRY(Poll poll, Poll::open(context_.loop, fd.get(), "hotfolder.inotify"));
    const int raw = fd.get();
    poll.start(UV_READABLE, [this, raw](int, int) {
        alignas(inotify_event) char buffer[65536];
        while (::read(raw, buffer, sizeof buffer) > 0) {
        }
        look();
    });
    while (!stop.requested()) {
        dirty_ = false;
        std::vector<Found> found;
        if (!paused_) {
            auto scan = [this] { return scan_and_claim(); };
            found = co_await offload(context_.loop, scan);
        }
        const bool more = !found.empty();
        MUSHER_CO_DO(co_await emit(std::move(found), stop));
        if (more || dirty_) continue;
        Cancel enough(stop);
        Duration rest = std::chrono::seconds(60);
        if (!seen_.empty()) rest = std::max(settle_, Duration(milliseconds(10)));
        const Deadline deadline(context_.loop.timers(), enough, rest);
        const Result<void> woken = co_await wake_.wait(enough);
        static_cast<void>(woken);
    }
    co_return fail(stop.error());
}

Task<Result<void>> Hotfolder::settle(std::vector<Settlement> ended, Cancel&) {
    std::vector<Move> moves;
    for (const Settlement& one : ended) {
        const std::string name = one.event.file.substr(work_.size() + 38);
        const bool good = one.outcome == Outcome::done;
        moves.push_back(Move{one.event.file, place(good ? done_ : failed_) + "/" + name});
    }
    auto move = [&] {
        const auto results = move_files(moves);
        for (std::size_t i = 0; i < results.size(); ++i) {
            if (!results[i] || ended[i].outcome == Outcome::done) continue;
            auto file = AtomicFile::create(place(failed_), std::filesystem::path(*results[i]).filename().string() + ".report.json", 0644, 0);
            if (!file) continue;
            static_cast<void>(write_all(file->fd().get(), ended[i].report.dump(2)));
            static_cast<void>(file->commit(Collision::replace));
        }
        return 0;
    };
    co_await offload(context_.loop, move);
    co_return Result<void>();
}

}  // namespace

const Spec& hotfolder_spec() {
    static const Spec kSpec{
        ComponentKind::source,
        "hotfolder",
        "files that appear in a folder",
        "",
        {
            {.name = "path", .type = OptionType::path, .help = "the folder", .required = true, .folder = Folder::watched},
            {.name = "match", .type = OptionType::text_list, .help = "names to take", .fallback = "*"},
            {.name = "settle", .type = OptionType::duration, .help = "quiet time", .fallback = "1s"},
            {.name = "recursive", .type = OptionType::boolean, .help = "subfolders too", .fallback = "false"},
            {.name = "shared", .type = OptionType::boolean, .help = "several hosts", .fallback = "false"},
            {.name = "done", .type = OptionType::path, .help = "where originals go", .fallback = "done", .folder = Folder::aside},
            {.name = "failed", .type = OptionType::path, .help = "where failed originals go", .fallback = "failed", .folder = Folder::aside},
        },
        {
            {"path", "where the file was", "/srv/in/a.txt"},
            {"dir", "its folder", "/srv/in"},
            {"name", "its name", "a.txt"},
            {"stem", "its name without extension", "a"},
            {"ext", "its extension", "txt"},
            {"size", "bytes", 1000},
            {"mtime", "last change", "2026-01-01T00:00:00.000Z"},
            {"uid", "owner", 1000},
        },
        R"(version: 1
pipeline: hot
source: { hotfolder: { path: /srv/in } }
steps:
  - directory: { to: /srv/out }
)"};
    return kSpec;
}

Result<std::unique_ptr<Source>> make_hotfolder(const Options& options,
                                               const SourceContext& context) {
    return std::make_unique<Hotfolder>(options, context);
}

}  // namespace musher
