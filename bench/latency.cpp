// bench-latency: from a file's drop to its job's first step, 100 files/s, settle 0, beside a bare
// inotify read of the same drops.
#include <fmt/format.h>
#include <sys/inotify.h>

#include <fstream>
#include <mutex>
#include <thread>

#include "bench/running_musher.h"

namespace musher::bench {
namespace {

constexpr double kRate = 100;

double now_ms() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration<double, std::milli>(now).count();
}

struct Row {
    std::string name;
    Figure p50 = {}, p99 = {};
};

/// Moves `files` files into `folder`, one each 1/kRate s, and says when each move began.
std::vector<double> drop(const std::string& from, const std::string& folder, int files) {
    for (int i = 0; i < files; ++i) std::ofstream(fmt::format("{}/f{}", from, i)) << "a file";
    std::vector<double> at;
    const double began = now_ms();
    for (int i = 0; i < files; ++i) {
        const double wait = began + i * 1000.0 / kRate - now_ms();
        if (wait > 0) std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(wait));
        const std::string name = fmt::format("/f{}", i);
        at.push_back(now_ms());
        std::filesystem::rename(from + name, folder + name);
    }
    return at;
}

/// The first tenth is warm-up.
void note(Row& row, const std::vector<double>& dropped, const std::vector<double>& seen) {
    std::vector<double> waits;
    for (std::size_t i = dropped.size() / 10; i < dropped.size(); ++i) {
        if (seen[i] == 0) {
            fmt::print(stderr, "{}: file {} was not seen\n", row.name, i);
            return;
        }
        waits.push_back(seen[i] - dropped[i]);
    }
    std::sort(waits.begin(), waits.end());
    row.p50.add(waits[waits.size() / 2]);
    row.p99.add(waits[waits.size() * 99 / 100]);
}

/// The step is `log`: its line comes through a pipe, so that wake-up is counted too.
void measure_musher(Row& row, const std::string& more, int files) {
    RunningMusher musher(more, {{"a",
                                 "source: { hotfolder: { path: ../in, settle: 0s } }\n"
                                 "steps: [ { log: \"${event.name}\" } ]\n"}});
    std::filesystem::create_directory(musher / "in");
    std::filesystem::create_directory(musher / "drops");
    musher.start();
    std::vector<double> seen(static_cast<std::size_t>(files));
    std::thread reader([&] {
        for (int left = files; left > 0;) {
            const std::optional<std::string> line = musher.line(20);
            if (!line) return;
            const std::size_t name = line->find("message=f");
            if (name == std::string::npos) continue;
            seen[static_cast<std::size_t>(std::atoi(line->c_str() + name + 9))] = now_ms();
            --left;
        }
    });
    const std::vector<double> dropped = drop(musher / "drops", musher / "in", files);
    reader.join();
    note(row, dropped, seen);
    MUSHER_CHECK(musher.stop() == 0);
}

void measure_inotify(Row& row, int files) {
    const test::TempDir dir;
    std::filesystem::create_directory(dir / "in");
    std::filesystem::create_directory(dir / "drops");
    const Fd watch(::inotify_init1(IN_CLOEXEC));
    MUSHER_CHECK(::inotify_add_watch(watch.get(), (dir / "in").c_str(), IN_MOVED_TO) >= 0);
    std::vector<double> seen(static_cast<std::size_t>(files));
    std::thread reader([&] {
        for (int left = files; left > 0;) {
            alignas(inotify_event) char bytes[16 << 10];
            const ssize_t got = ::read(watch.get(), bytes, sizeof bytes);
            for (ssize_t at = 0; at < got; --left) {
                const auto* event = reinterpret_cast<const inotify_event*>(bytes + at);
                seen[static_cast<std::size_t>(std::atoi(event->name + 1))] = now_ms();
                at += ssize_t(sizeof(inotify_event) + event->len);
            }
        }
    });
    const std::vector<double> dropped = drop(dir / "drops", dir / "in", files);
    reader.join();
    note(row, dropped, seen);
}

void run(const Options& options) {
    const int files = options.quick ? 200 : 500;
    print_machine(
        fmt::format("latency: drop to first step, {} files at {:.0f}/s, settle 0", files, kRate),
        {version_of({"redis-server", "--version"})});
    Row always{"musher, appendfsync always"}, everysec{"musher, appendfsync everysec"};
    Row bare{"limit: inotify read"};
    for (int i = 0; i < options.runs; ++i) {
        measure_inotify(bare, files);
        measure_musher(always, "", files);
        measure_musher(everysec, "queue: { appendfsync: everysec }\n", files);
    }
    std::vector<std::vector<std::string>> rows{{"", "p50 ms", "p99 ms", "p50 to limit"}};
    for (const Row* row : {&always, &everysec, &bare}) {
        rows.push_back({row->name, row->p50.text(), row->p99.text(), row->p50.ratio_to(bare.p50)});
    }
    print_table(rows);
}

}  // namespace
}  // namespace musher::bench

int main(int argc, char** argv) { musher::bench::run(musher::bench::read_options(argc, argv)); }
