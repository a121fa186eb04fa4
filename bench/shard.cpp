// bench-shard: `musher shard copy` of one large file, of 100,000 small ones and of a mix, with a
// cold and a warm cache, beside `cp -a` and `rsync -a`; each with the sync at its end. The limit:
// bare loops, one process for each core, which only read the files or only write as many.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <thread>

#include "bench/support.h"
#include "tests/support/temp_dir.h"

namespace musher::bench {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kMiB = 1 << 20;

[[noreturn]] void give_up(const std::string& what) {
    fmt::print(stderr, "bench-shard: error: {}\n", what);
    std::exit(1);
}

struct Spent {
    double seconds = 0, cpu = 0, mib = 0;  // its own largest memory
};

/// Runs `work`, whose answer is its exit code, in a process of its own; only 0 will do.
Spent run_apart(const std::string& name, const std::function<int()>& work) {
    const auto began = std::chrono::steady_clock::now();
    const pid_t child = ::fork();
    if (child == 0) ::_exit(work());
    int status = 0;
    rusage used{};
    if (::wait4(child, &status, 0, &used) != child || status != 0) give_up(name + " failed");
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return {took.count(), seconds(used.ru_utime) + seconds(used.ru_stime),
            static_cast<double>(used.ru_maxrss) / 1024};
}

Spent run(std::vector<std::string> argv) {
    std::vector<char*> words;
    for (std::string& word : argv) words.push_back(word.data());
    words.push_back(nullptr);
    return run_apart(argv[0], [&words] {
        ::dup2(::open("/dev/null", O_WRONLY), STDOUT_FILENO);
        ::execvp(words[0], words.data());
        return 127;
    });
}

/// Sources are noise: nothing can be left out, compressed or shared.
class Source {
  public:
    explicit Source(std::string path) : path_(std::move(path)) { fs::create_directories(path_); }
    void file(const std::string& name, std::size_t size) {
        std::ofstream out(path_ + "/" + name, std::ios::binary);
        block_.resize(std::min(size, kMiB) + 8);
        for (std::size_t done = 0; done < size; done += kMiB) {
            const std::size_t part = std::min(kMiB, size - done);
            for (std::size_t at = 0; at < part; at += 8) {
                const std::uint64_t eight = random_();
                std::memcpy(block_.data() + at, &eight, 8);
            }
            out.write(block_.data(), static_cast<std::streamsize>(part));
        }
        files.push_back({name, size});
        bytes += size;
    }
    /// `count` files in folders of 1,000.
    template <class Size>
    void many(std::size_t count, Size size) {
        for (std::size_t i = 0; i < count; ++i) {
            const std::string folder = std::to_string(i / 1000);
            if (i % 1000 == 0) fs::create_directory(path_ + "/" + folder);
            file(folder + "/" + std::to_string(i), size());
        }
    }
    std::uint64_t draw() { return random_(); }
    const std::string& path() const { return path_; }

    struct Entry {
        std::string name;
        std::size_t size = 0;
    };
    std::vector<Entry> files;
    std::size_t bytes = 0;

  private:
    std::string path_;
    std::mt19937_64 random_{1};
    std::string block_;
};

/// False where the cache may not be emptied. The programs themselves are read again.
bool drop_caches() {
    ::sync();
    std::ofstream out("/proc/sys/vm/drop_caches");
    out << "3" << std::flush;
    if (!out) return false;
    for (const std::string& program :
         {program_path("musher"), std::string("cp"), std::string("rsync"), std::string("sync")}) {
        run({program, "--version"});
    }
    return true;
}

/// Gives back the blocks, not the inodes: ext4 passes over each inode deleted within the last
/// minutes, one by one, and who creates files after a deletion pays for it.
void empty_files(const std::string& path) {
    for (const auto& entry : fs::recursive_directory_iterator(path)) {
        if (entry.is_regular_file()) fs::resize_file(entry, 0);
    }
}

enum class Cache { cold, warm };

bool read_file(const std::string& path, std::vector<char>& block) {
    const Fd in(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!in) return false;
    ssize_t got = 0;
    while ((got = ::read(in.get(), block.data(), block.size())) > 0) {
    }
    return got == 0;
}

bool write_file(const std::string& path, std::size_t size, const std::vector<char>& block) {
    const Fd out(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    if (!out) return false;
    while (size > 0) {
        const ssize_t put = ::write(out.get(), block.data(), std::min(size, block.size()));
        if (put <= 0) return false;
        size -= static_cast<std::size_t>(put);
    }
    return true;
}

/// Every file once, in one process for each core; folders are not shared.
int each_apart(const Source& source, const std::function<bool(const Source::Entry&)>& work) {
    const std::size_t cores = std::max(1u, std::thread::hardware_concurrency());
    std::vector<pid_t> children;
    for (std::size_t core = 0; core < cores; ++core) {
        const pid_t child = ::fork();
        if (child > 0) children.push_back(child);
        if (child != 0) continue;
        bool well = true;
        for (std::size_t i = 0; i < source.files.size(); ++i) {
            if (i / 1000 % cores == core) well = well && work(source.files[i]);
        }
        ::_exit(well ? 0 : 1);
    }
    int faults = children.size() == cores ? 0 : 1;
    for (const pid_t child : children) {
        int status = 0;
        if (::waitpid(child, &status, 0) != child || status != 0) ++faults;
    }
    return faults;
}

Spent read_alone(const Source& source, const std::string&) {
    return run_apart("reading", [&source] {
        std::vector<char> block(kMiB);
        return each_apart(source, [&](const Source::Entry& file) {
            return read_file(source.path() + "/" + file.name, block);
        });
    });
}

/// As many files of the same sizes, from memory; synced.
Spent write_alone(const Source& source, const std::string& to) {
    return run_apart("writing", [&] {
        const std::vector<char> block(kMiB, 'x');
        for (const Source::Entry& file : source.files) {
            const fs::path folder = fs::path(to + "/" + file.name).parent_path();
            if (!fs::exists(folder)) fs::create_directories(folder);
        }
        const int faults = each_apart(source, [&](const Source::Entry& file) {
            return write_file(to + "/" + file.name, file.size, block);
        });
        const Fd folder(::open(to.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        return faults + (::syncfs(folder.get()) == 0 ? 0 : 1);
    });
}

/// One way to copy `source` into the folder `to`, or a part of it that none can do without.
struct Way {
    std::string name;
    std::function<Spent(const Source& source, const std::string& to)> copy;
    Figure mib_per_s = {}, files_per_s = {}, cpu = {}, mib = {};  // cpu: seconds a copy
};

std::vector<std::string> shell(const std::string& command) { return {"sh", "-c", command}; }

/// Ours, the peer that goals are about, and the others.
std::vector<Way> ways(const test::TempDir& dir, Cache cache, bool reflink) {
    const std::string locks = dir / "locks";
    const auto musher = [locks](const Source& source, const std::string& to) {
        return run({program_path("musher"), "shard", "copy", source.path(), "--lockdir", locks,
                    "--ssddir", to, "--id", "bench"});
    };
    const auto peer = [](const std::string& command) {
        return [command](const Source& source, const std::string& to) {
            return run(
                shell(fmt::format("{} {} {} && sync -f {}", command, source.path(), to, to)));
        };
    };
    const std::string plain = reflink ? "cp -a --reflink=never" : "cp -a";
    std::vector<Way> all = {{"musher shard copy", musher},
                            {plain + " + sync", peer(plain)},
                            {"rsync -a + sync", peer("rsync -a")}};
    if (reflink) {
        all.push_back({"cp -a + sync", peer("cp -a")});
        return all;
    }
    if (cache == Cache::cold) all.push_back({"limit: reading alone", read_alone});
    all.push_back({"limit: writing alone + sync", write_alone});
    return all;
}

/// `target` is made, and left behind with its files emptied.
void measure(const Source& source, Way& way, Cache cache, const test::TempDir& dir,
             const std::string& target) {
    fs::create_directories(target);
    fs::create_directory(dir / "locks");
    const bool dropped = drop_caches();
    if (cache == Cache::cold && !dropped) return;
    if (cache == Cache::warm) read_alone(source, target);
    const Spent spent = way.copy(source, target);
    way.mib_per_s.add(static_cast<double>(source.bytes) / kMiB / spent.seconds);
    way.files_per_s.add(static_cast<double>(source.files.size()) / spent.seconds);
    way.cpu.add(spent.cpu);
    way.mib.add(spent.mib);
    empty_files(target);
    fs::remove_all(dir / "locks");
}

/// All ways in turn, `runs` times.
std::vector<Way> compare(const std::string& what, const Source& source, Cache cache, int runs,
                         const test::TempDir& dir, const std::string& target, bool reflink) {
    std::vector<Way> all = ways(dir, cache, reflink);
    const char* temper = cache == Cache::cold ? "cold" : "warm";
    int copies = 0;
    for (int i = 0; i < runs; ++i) {
        for (Way& way : all) {
            const std::string set = fs::path(source.path()).filename();
            measure(source, way, cache, dir,
                    fmt::format("{}/{}-{}-{}", target, set, temper, ++copies));
        }
    }
    const bool small = source.files.size() > 1000;
    const auto figure = [small](const Way& way) -> const Figure& {
        return small ? way.files_per_s : way.mib_per_s;
    };
    std::vector<std::vector<std::string>> rows = {{fmt::format("{}, {}", what, temper),
                                                   small ? "files/s" : "MiB/s", "to cp -a", "CPU s",
                                                   "largest MiB"}};
    for (const Way& way : all) {
        rows.push_back({way.name, figure(way).text(), figure(way).ratio_to(figure(all[1])),
                        way.cpu.text(), way.mib.text()});
    }
    print_table(rows);
    return all;
}

void goal(const std::string& what, const Figure& ours, const Figure& peer, double bound) {
    if (!ours.known()) return;
    print_goal(what, ours.median() / peer.median(), Want::at_least, bound);
}

/// With its folder on an XFS of its own, where blocks can be shared; nothing where that cannot be.
void share_blocks(const test::TempDir& dir, std::size_t size, int runs) {
    const std::string image = dir / "xfs", mounted = dir / "mounted";
    fs::create_directory(mounted);
    std::ofstream(image).close();
    fs::resize_file(image, 4 * size + (1u << 30));
    Program made(
        shell("mkfs.xfs -q -m reflink=1 " + image + " && mount -o loop " + image + " " + mounted));
    if (made.wait(60) != 0) {
        fmt::print("reflink: no XFS could be mounted here: {}\n", made.complaint());
        return;
    }
    {
        Source source(mounted + "/large");
        source.file("file", size);
        const auto all = compare("one file on XFS with reflink", source, Cache::warm, runs, dir,
                                 mounted + "/ssd", true);
        goal("reflink: musher / cp -a --reflink=never", all[0].mib_per_s, all[1].mib_per_s, 5);
    }
    ::umount(mounted.c_str());
}

void run(const Options& options) {
    print_machine("shard: each copy with the sync at its end",
                  {version_of({"cp", "--version"}), version_of({"rsync", "--version"})});
    const int runs = options.quick ? 1 : 7;
    const std::size_t scale = options.quick ? 20 : 1;
    const test::TempDir dir;
    const std::string target = dir / "ssd";
    const auto each = [&](const std::string& what, const Source& source, double to_cp,
                          double to_rsync) {
        for (const Cache cache : {Cache::cold, Cache::warm}) {
            const auto all = compare(what, source, cache, runs, dir, target, false);
            const std::string temper = cache == Cache::cold ? ", cold" : ", warm";
            if (to_cp > 0)
                goal(what + temper + ": musher / cp -a", all[0].files_per_s, all[1].files_per_s,
                     to_cp);
            if (to_rsync > 0)
                goal(what + temper + ": musher / rsync -a", all[0].files_per_s, all[2].files_per_s,
                     to_rsync);
        }
        fs::remove_all(source.path());
    };
    {
        Source large(dir / "large");
        large.file("file", 2048 * kMiB / scale);
        each("one file of 2 GiB", large, 1.0, 0);
    }
    {
        Source small(dir / "small");
        small.many(100'000 / scale, [] { return std::size_t{4096}; });
        each("100,000 files of 4 KiB", small, 1.3, 2.0);
    }
    {
        Source mix(dir / "mix");
        mix.many(20'000 / scale, [&] { return std::size_t{mix.draw() % 65536}; });
        for (int i = 0; i < 100; ++i) mix.file("m" + std::to_string(i), (mix.draw() % 8) * kMiB);
        mix.file("large", 512 * kMiB / scale);
        each("a mix of 1.5 GiB", mix, 0, 0);
    }
    share_blocks(dir, 2048 * kMiB / scale, runs);
}

}  // namespace
}  // namespace musher::bench

int main(int argc, char** argv) { musher::bench::run(musher::bench::read_options(argc, argv)); }
