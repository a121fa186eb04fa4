// bench-backlog: musher starts on a folder with a million files, settle 0: seconds to the first
// job, and how much memory it ever took, beside a bare reading of the folder.
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "bench/running_musher.h"

namespace musher::bench {
namespace {

struct Row {
    std::string name;
    Figure first_s = {}, peak_mib = {}, jobs_per_s = {};
};

double now_s() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration<double>(now).count();
}

void fill(const std::string& folder, std::size_t files) {
    std::filesystem::create_directories(folder);
    const Fd at(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    for (std::size_t i = 0; i < files; ++i) {
        const Fd file(
            ::openat(at.get(), fmt::format("f{:07}", i).c_str(), O_CREAT | O_WRONLY, 0600));
        MUSHER_CHECK(bool(file));
    }
}

void read_bare(Row& row, const std::string& folder) {
    const double began = now_s();
    DIR* open = ::opendir(folder.c_str());
    MUSHER_CHECK(open != nullptr);
    std::size_t files = 0;
    while (::readdir(open) != nullptr) ++files;
    ::closedir(open);
    row.first_s.add(now_s() - began);
    row.jobs_per_s.add(double(files) / (now_s() - began));
}

/// Memory is watched over `most` jobs. The clean stop leaves the other files for the next run.
void measure(Row& row, RunningMusher& musher, std::size_t most) {
    const double began = now_s();
    musher.start();
    std::size_t jobs = 0;
    double first = 0;
    while (jobs < most) {
        const std::optional<std::string> line = musher.line(120);
        MUSHER_CHECK(line.has_value() && "there was no job within two minutes");
        if (line->find(" job.log ") == std::string::npos) continue;
        if (jobs++ == 0) first = now_s();
    }
    row.first_s.add(first - began);
    row.jobs_per_s.add(double(jobs) / (now_s() - first));
    row.peak_mib.add(usage_of(musher.pid()).peak_mib);
    MUSHER_CHECK(musher.stop() == 0);
}

void run(const Options& options) {
    const std::size_t files = options.quick ? 100'000 : 1'000'000;
    print_machine(
        fmt::format("backlog: {} empty files at the start, settle 0", number(double(files))),
        {version_of({"redis-server", "--version"}) + "; appendfsync always"});
    RunningMusher musher("", {{"hot",
                               "source: { hotfolder: { path: ../in, settle: 0s } }\n"
                               "steps: [ { log: \"${event.name}\" } ]\n"}});
    fill(musher / "in", files);
    Row ours{"musher"}, bare{"limit: readdir of all"};
    for (int i = 0; i < options.runs; ++i) {
        read_bare(bare, musher / "in");
        // Some are prefetched and end while musher stops.
        measure(ours, musher, files / (std::size_t(options.runs) + 1));
    }
    print_table({{"", "s to the first", "to limit", "peak RSS MiB", "files/s"},
                 {ours.name, ours.first_s.text(), ours.first_s.ratio_to(bare.first_s),
                  ours.peak_mib.text(), ours.jobs_per_s.text()},
                 {bare.name, bare.first_s.text(), "", "", bare.jobs_per_s.text()}});
    print_goal("s to the first job", ours.first_s, Want::at_most, 2);
    print_goal("peak RSS, MiB", ours.peak_mib, Want::at_most, 64);
}

}  // namespace
}  // namespace musher::bench

int main(int argc, char** argv) { musher::bench::run(musher::bench::read_options(argc, argv)); }
