// bench-hotfolder: files of 4 KiB moved in at once, from the first rename to the last in done/,
// beside a bare loop that does the same renames and syncs, incron + RQ, and a watchman trigger.
#include <fmt/format.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "bench/running_musher.h"
#include "reactor/base/limits.h"
#include "tests/support/redis_server.h"

namespace musher::bench {
namespace {

constexpr double kPatience = 300;     // s
constexpr std::size_t kRecord = 300;  // bytes of a job in the bare loop's journal

struct Row {
    std::string name;
    Figure rate = {};
    std::string missing = {};
};

double now_s() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration<double>(now).count();
}

/// in/, done/ and out/ of one measurement, with `files` files that wait to be dropped.
struct Folders {
    Folders(const std::string& root, std::size_t count)
        : drops(root + "/drops"), in(root + "/in"), out(root + "/out"), files(count) {
        for (const std::string& folder : {drops, in, out}) {
            std::filesystem::create_directories(folder);
        }
        const std::string body(4096, 'x');
        for (std::size_t i = 0; i < files; ++i) std::ofstream(drops + name(i)) << body;
        ::sync();
    }
    static std::string name(std::size_t i) { return fmt::format("/f{:06}", i); }
    void drop(std::size_t i) const { std::filesystem::rename(drops + name(i), in + name(i)); }

    std::string drops, in, out;
    std::size_t files;
};

/// Files per second until all are in `done`; 0 when they are not within kPatience.
double drop_all(const Folders& folders, const std::string& done) {
    std::filesystem::create_directories(done);
    const Fd watch(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    MUSHER_CHECK(::inotify_add_watch(watch.get(), done.c_str(), IN_MOVED_TO) >= 0);
    const double began = now_s();
    std::thread dropper([&] {
        for (std::size_t i = 0; i < folders.files; ++i) folders.drop(i);
    });
    std::size_t arrived = 0;
    bool overflow = false;
    while (arrived < folders.files && now_s() - began < kPatience) {
        alignas(inotify_event) char bytes[64 << 10];
        const ssize_t got = ::read(watch.get(), bytes, sizeof bytes);
        if (got <= 0) ::usleep(1000);
        for (ssize_t at = 0; at < got;) {
            const auto* event = reinterpret_cast<const inotify_event*>(bytes + at);
            if ((event->mask & IN_Q_OVERFLOW) != 0) overflow = true;
            if ((event->mask & IN_MOVED_TO) != 0) ++arrived;
            at += ssize_t(sizeof(inotify_event) + event->len);
        }
        MUSHER_CHECK(!overflow);
    }
    const double took = now_s() - began;
    dropper.join();
    return arrived == folders.files ? double(folders.files) / took : 0;
}

void measure_musher(Row& row, const std::string& steps, std::size_t files) {
    RunningMusher musher("",
                         {{"hot", "source: { hotfolder: { path: ../in, settle: 0s } }\n" + steps}});
    const Folders folders(musher / "", files);
    musher.start();
    std::atomic<bool> ended = false;
    std::thread reader([&] {
        while (!ended) static_cast<void>(musher.line(0.2));
    });
    if (const double rate = drop_all(folders, folders.in + "/done"); rate > 0) row.rate.add(rate);
    ended = true;
    reader.join();
    MUSHER_CHECK(musher.stop() == 0);
}

/// What any durable hot folder has to do: drop, claim, note, (copy), note, finish.
class BareLoop {
  public:
    explicit BareLoop(const Folders& folders)
        : folders_(folders),
          journal_(
              ::open((folders.drops + ".journal").c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600)),
          out_(::open(folders.out.c_str(), O_RDONLY | O_DIRECTORY)) {
        for (const char* folder : {"/work", "/done"}) {
            std::filesystem::create_directories(folders.in + folder);
        }
    }
    void run(bool copies) {
        for (std::size_t from = 0; from < folders_.files; from += limits::kFileBatch) {
            const std::size_t to = std::min(from + limits::kFileBatch, folders_.files);
            for (std::size_t i = from; i < to; ++i) {
                folders_.drop(i);
                std::filesystem::rename(folders_.in + Folders::name(i), work(i));
            }
            note(to - from);
            if (copies) copy(from, to);
            for (std::size_t i = from; i < to; ++i) {
                std::filesystem::rename(work(i), folders_.in + "/done" + Folders::name(i));
            }
            note(to - from);
        }
    }

  private:
    std::string work(std::size_t i) const { return folders_.in + "/work" + Folders::name(i); }
    void note(std::size_t jobs) {
        MUSHER_CHECK(write_all(journal_.get(), std::string(jobs * kRecord, 'j')).has_value());
        MUSHER_CHECK(::fdatasync(journal_.get()) == 0);
    }
    void copy(std::size_t from, std::size_t to) {
        std::vector<Fd> copies;
        for (std::size_t i = from; i < to; ++i) {
            const Result<std::string> body = read_small_file(work(i), 1 << 20);
            copies.emplace_back(::open((folders_.out + Folders::name(i) + ".part").c_str(),
                                       O_CREAT | O_WRONLY, 0600));
            MUSHER_CHECK(body && write_all(copies.back().get(), *body).has_value());
        }
        MUSHER_CHECK(::syncfs(out_.get()) == 0);  // less than an fsync for each
        for (std::size_t i = from; i < to; ++i) {
            const std::string name = folders_.out + Folders::name(i);
            std::filesystem::rename(name + ".part", name);
        }
        MUSHER_CHECK(::fsync(out_.get()) == 0);
    }

    const Folders& folders_;
    Fd journal_, out_;
};

void measure_bare(Row& row, bool copies, std::size_t files) {
    const test::TempDir dir;
    const Folders folders(dir.path(), files);
    const double began = now_s();
    BareLoop(folders).run(copies);
    row.rate.add(double(files) / (now_s() - began));
}

void measure_incron(Row& row, std::size_t files) {
    const test::RedisServer redis({"--appendfsync", "everysec"});
    const test::TempDir dir;
    const Folders folders(dir.path(), files);
    const std::string script = source_path("bench/peers/hotfolder/rq_hot.py");
    std::filesystem::create_directories(dir / "tables");
    std::filesystem::create_directories(dir / "users");
    std::ofstream(dir / "tables/hot")
        << fmt::format("{} IN_MOVED_TO /usr/bin/python3 {} enqueue {} $@/$#\n", folders.in, script,
                       redis.socket());
    std::ofstream(dir / "incron.conf") << fmt::format(
        "system_table_dir = {0}/tables\nuser_table_dir = {0}/users\nlockfile_dir = {0}\n"
        "lockfile_name = lock\n",
        dir.path());
    Program worker({"/usr/bin/python3", script, "work", redis.socket()});
    Program incron({"incrond", "-n", "-f", dir / "incron.conf"});
    if (worker.line(30) != "ready") return;
    ::sleep(1);  // incrond does not say when it watches
    if (const double rate = drop_all(folders, dir / "done"); rate > 0) row.rate.add(rate);
}

void measure_watchman(Row& row, std::size_t files) {
    const test::TempDir dir;
    const Folders folders(dir.path(), files);
    const std::string socket = "--sockname=" + dir / "sock";
    Program watchman({"watchman", "--foreground", socket, "--logfile=" + dir / "log",
                      "--statefile=" + dir / "state"});
    const auto ask = [&](std::vector<std::string> words) {
        words.insert(words.begin(), {"watchman", "--no-spawn", socket});
        for (int tries = 0; tries < 50; ++tries) {
            if (version_of(words) != "not installed") return true;
            ::usleep(100'000);
        }
        return false;
    };
    if (!ask({"watch", folders.in})) return;
    if (!ask({"--", "trigger", folders.in, "hot", "*", "--", "/usr/bin/python3",
              source_path("bench/peers/hotfolder/finish_names.py")})) {
        return;
    }
    if (const double rate = drop_all(folders, dir / "done"); rate > 0) row.rate.add(rate);
}

void run(const Options& options) {
    const std::size_t files = options.quick ? 4'000 : 20'000, few = options.quick ? 100 : 500;
    print_machine(
        fmt::format("hotfolder: {} files of 4 KiB, settle 0; {} for the peers", files, few),
        {version_of({"redis-server", "--version"}) + "; musher appendfsync always, "
                                                     "RQ's everysec",
         version_of({"incrond", "--version"}),
         "watchman " + version_of({"watchman", "--version"})});
    Row log{"musher, one log step"}, copy{"musher, one directory sink, parallel 64"};
    Row bare_log{"limit: bare loop"}, bare_copy{"limit: bare loop with the copy"};
    Row incron{"incron + RQ"}, watchman{"watchman trigger, no queue"};
    for (int i = 0; i < options.runs; ++i) {
        measure_bare(bare_log, false, files);
        measure_musher(log, "steps: [ { log: \"${event.name}\" } ]\n", files);
        measure_bare(bare_copy, true, files);
        measure_musher(copy, "steps: [ { directory: { to: ../out } } ]\nlimits: { parallel: 64 }\n",
                       files);
        if (version_of({"incrond", "--version"}) != "not installed") measure_incron(incron, few);
        if (version_of({"watchman", "--version"}) != "not installed") {
            measure_watchman(watchman, few);
        }
    }
    std::vector<std::vector<std::string>> rows{{"", "files/s", "log musher is", "copy musher is"}};
    for (const Row* row : {&log, &copy, &bare_log, &bare_copy, &incron, &watchman}) {
        rows.push_back({row->name, row->rate.text(), log.rate.ratio_to(row->rate),
                        copy.rate.ratio_to(row->rate)});
    }
    print_table(rows);
    const auto goal = [](const std::string& what, const Row& ours, const Row& other, double bound) {
        Figure ratio;
        if (ours.rate.known() && other.rate.known()) {
            ratio.add(ours.rate.median() / other.rate.median());
        }
        print_goal(what, ratio, Want::at_least, bound);
    };
    goal("log / bare loop", log, bare_log, 0.5);
    goal("directory / bare loop with the copy", copy, bare_copy, 0.5);
    goal("log / incron + RQ", log, incron, 200);
}

}  // namespace
}  // namespace musher::bench

int main(int argc, char** argv) { musher::bench::run(musher::bench::read_options(argc, argv)); }
