// bench-hotfolder: 20,000 files moved into a hot folder, beside a bare loop and incron with RQ.
#include <fmt/format.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>

#include "bench/support.h"
#include "tests/support/temp_dir.h"

namespace musher::bench {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBytes = 4096;
constexpr std::size_t kBatch = 256;
constexpr std::size_t kParallel = 64;  // of the row with a sink: what shares its syncs

double now_s() {
    const auto since = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration<double>(since).count();
}

void fill(const std::string& folder, std::size_t files) {
    fs::create_directories(folder);
    const std::string content(kBytes, 'x');
    for (std::size_t i = 0; i < files; ++i) {
        std::ofstream(folder + "/" + std::to_string(i)) << content;
    }
    ::sync();
}

/// Counts names that are moved or made in a folder, by inotify.
class Arrivals {
  public:
    explicit Arrivals(const std::string& folder) : fd_(::inotify_init1(IN_CLOEXEC)) {
        ::inotify_add_watch(fd_.get(), folder.c_str(), IN_MOVED_TO | IN_CREATE);
    }
    void await(std::size_t files) {
        char buffer[64 << 10];
        while (seen_ < files) {
            const ssize_t got = ::read(fd_.get(), buffer, sizeof buffer);
            if (got <= 0) return;
            for (ssize_t at = 0; at < got;) {
                inotify_event event;
                std::memcpy(&event, buffer + at, sizeof event);
                at += static_cast<ssize_t>(sizeof event + event.len);
                ++seen_;
            }
        }
    }

  private:
    Fd fd_;
    std::size_t seen_ = 0;
};

void move_in(const std::string& from, const std::string& to, std::size_t files) {
    for (std::size_t i = 0; i < files; ++i) {
        const std::string name = "/" + std::to_string(i);
        ::rename((from + name).c_str(), (to + name).c_str());
    }
}

/// Files per second through musher, from the first rename to the last name in done/.
double run_musher(std::size_t files, bool sink) {
    const test::TempDir dir;
    fill(dir / "stage", files);
    fs::create_directories(dir / "in/done");
    const std::string step =
        sink ? fmt::format("  - directory: {{ to: {} }}\n", dir / "out") : "  - log: seen\n";
    std::ofstream(dir / "hot.yml") << fmt::format(
        "version: 1\nsource: {{ hotfolder: {{ path: {} }} }}\nlimits: {{ parallel: {} }}\n"
        "steps:\n{}",
        dir / "in", sink ? kParallel : 4, step);
    std::ofstream(dir / "musher.yml") << fmt::format(
        "version: 1\nstate: {}\npipelines: [{}]\nlog: {{ level: warning }}\n", dir / "state",
        dir / "hot.yml");
    const Program musher({program_path("musher"), "run", "-c", dir / "musher.yml"});
    const std::string socket = dir / "state/control.sock";
    for (int tries = 0; tries < 1000 && !fs::exists(socket); ++tries) ::usleep(10'000);
    Arrivals done(dir / "in/done");
    const double began = now_s();
    move_in(dir / "stage", dir / "in", files);
    done.await(files);
    return static_cast<double>(files) / (now_s() - began);
}

/// The same renames (and copies) by a bare loop: claim, a record on disk, copy, done, a record.
double run_bare(std::size_t files, bool sink) {
    const test::TempDir dir;
    fill(dir / "stage", files);
    for (const char* folder : {"in", "work", "done", "out"}) fs::create_directory(dir / folder);
    const Fd log(::open((dir / "log").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    const Fd out(::open((dir / "out").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const std::string record(kBatch * 200, 'r');
    const auto write_down = [&] {
        if (::write(log.get(), record.data(), record.size()) < 0) std::abort();
        ::fdatasync(log.get());
    };
    const double began = now_s();
    move_in(dir / "stage", dir / "in", files);
    for (std::size_t from = 0; from < files; from += kBatch) {
        const std::size_t to = std::min(files, from + kBatch);
        const auto each = [&](const char* a, const char* b) {
            for (std::size_t i = from; i < to; ++i) {
                const std::string name = "/" + std::to_string(i);
                ::rename((dir / a + name).c_str(), (dir / b + name).c_str());
            }
        };
        each("in", "work");
        write_down();
        if (sink) {
            for (std::size_t i = from; i < to; ++i) {
                const std::string name = "/" + std::to_string(i);
                fs::copy_file(dir / "work" + name, dir / "out/." + name.substr(1));
            }
            ::syncfs(out.get());
            for (std::size_t i = from; i < to; ++i) {
                const std::string name = std::to_string(i);
                ::rename((dir / "out/." + name).c_str(), (dir / "out/" + name).c_str());
            }
            ::fsync(out.get());
        }
        each("work", "done");
        write_down();
    }
    return static_cast<double>(files) / (now_s() - began);
}

/// peers/hotfolder/NAME prints {"per_s": …}, or nothing when it cannot run here.
void run_peer(const std::string& name, std::size_t files, Figure& figure) {
    const Json result = run_json(
        {source_path("bench/peers/hotfolder/" + name), std::to_string(files)}, 300);
    if (result.is_object()) figure.add(result.value("per_s", 0.0));
}

int run(int argc, char** argv) {
    const Options options = read_options(argc, argv);
    const std::size_t files = options.quick ? 2'000 : 20'000;
    const std::size_t peer_files = options.quick ? 100 : 500;
    print_machine("hotfolder: files per second, from the first rename to the last in done/",
                  {fmt::format("{} files of {} bytes; private redis-server, appendfsync always",
                               files, kBytes),
                   version_of({"redis-server", "--version"}),
                   fmt::format("row with a sink: limits.parallel {}", kParallel)});
    Figure log, log_limit, sink, sink_limit, incron, watchman;
    for (int i = 0; i < options.runs; ++i) {
        log_limit.add(run_bare(files, false));
        log.add(run_musher(files, false));
        sink_limit.add(run_bare(files, true));
        sink.add(run_musher(files, true));
        run_peer("incron_rq.sh", peer_files, incron);
        run_peer("watchman.sh", peer_files, watchman);
    }
    print_table({{"", "files/s", "of the bare loop"},
                 {"musher, log", log.text(), log.ratio_to(log_limit)},
                 {"bare loop, renames", log_limit.text(), ""},
                 {"musher, directory", sink.text(), sink.ratio_to(sink_limit)},
                 {"bare loop, renames and copies", sink_limit.text(), ""},
                 {fmt::format("incron + RQ ({} files)", peer_files), incron.text(),
                  incron.ratio_to(log_limit)},
                 {fmt::format("watchman trigger ({} files)", peer_files), watchman.text(),
                  watchman.ratio_to(log_limit)}});
    print_goal("log / bare loop", log.median() / log_limit.median(), Want::at_least, 0.5);
    print_goal("directory / bare loop", sink.median() / sink_limit.median(), Want::at_least, 0.5);
    if (incron.known()) {
        print_goal("log / incron + RQ", log.median() / incron.median(), Want::at_least, 200);
    }
    return 0;
}

}  // namespace
}  // namespace musher::bench

int main(int argc, char** argv) { return musher::bench::run(argc, argv); }
