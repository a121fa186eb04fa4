// bench-idle: memory and wake-ups of musher with ten pipelines that have nothing to do, of its
// redis-server, and of idle workers of other queues.
#include <fmt/format.h>

#include <thread>

#include "bench/running_musher.h"
#include "tests/support/redis_server.h"

namespace musher::bench {
namespace {

struct Row {
    std::string name;
    Figure rss = {}, wakes = {};
};

struct Watched {
    Row& row;
    pid_t pid;
};

/// All at once: they are idle.
void watch(const std::vector<Watched>& processes, std::chrono::seconds span) {
    std::vector<double> before;
    for (const Watched& it : processes) before.push_back(usage_of(it.pid).switches);
    std::this_thread::sleep_for(span);
    for (std::size_t i = 0; i < processes.size(); ++i) {
        const Usage usage = usage_of(processes[i].pid);
        processes[i].row.rss.add(usage.rss_mib);
        processes[i].row.wakes.add((usage.switches - before[i]) / double(span.count()));
    }
}

std::map<std::string, std::string> ten_pipelines() {
    std::map<std::string, std::string> pipelines;
    for (int i = 0; i < 10; ++i) {
        pipelines[fmt::format("p{}", i)] = fmt::format(
            "source: {{ hotfolder: {{ path: ../in{} }} }}\n"
            "steps: [ {{ log: \"${{event.name}}\" }} ]\n",
            i);
    }
    return pipelines;
}

void measure(std::vector<Row>& rows, std::chrono::seconds span) {
    RunningMusher musher("", ten_pipelines());
    for (int i = 0; i < 10; ++i) std::filesystem::create_directory(musher / fmt::format("in{}", i));
    musher.start();
    const test::RedisServer redis;
    const std::vector<std::string> work{"consume", redis.socket(), "jobs=1"};
    const auto worker = [&](std::vector<std::string> argv) {
        argv.insert(argv.end(), work.begin(), work.end());
        auto program = std::make_unique<Program>(argv);
        return program->line(60) == "ready" ? std::move(program) : nullptr;
    };
    const auto bullmq = worker({"node", source_path("bench/peers/queue/bullmq.js")});
    const auto sidekiq = worker({"ruby", source_path("bench/peers/queue/sidekiq.rb")});
    const Program asleep({"sleep", "3600"});
    std::this_thread::sleep_for(std::chrono::seconds(3));
    std::vector<Watched> watched{{rows[0], musher.pid()}, {rows[1], musher.redis_pid()}};
    if (bullmq) watched.push_back({rows[2], bullmq->pid()});
    if (sidekiq) watched.push_back({rows[3], sidekiq->pid()});
    watched.push_back({rows[4], asleep.pid()});
    watch(watched, span);
    MUSHER_CHECK(musher.stop() == 0);
}

void run(const Options& options) {
    const std::chrono::seconds span(options.quick ? 10 : 30);
    print_machine(fmt::format("idle: {} s with nothing to do", span.count()),
                  {version_of({"redis-server", "--version"}) + "; appendfsync always"});
    std::vector<Row> rows{{"musher, 10 hot folders"},
                          {"its redis-server"},
                          {"BullMQ, 1 worker"},
                          {"Sidekiq, 10 threads"},
                          {"limit: sleep"}};
    for (int i = 0; i < options.runs; ++i) measure(rows, span);
    std::vector<std::vector<std::string>> table{
        {"", "RSS MiB", "musher is", "wake-ups/s", "musher is"}};
    for (const Row& row : rows) {
        table.push_back({row.name, row.rss.text(), rows[0].rss.ratio_to(row.rss), row.wakes.text(),
                         rows[0].wakes.ratio_to(row.wakes)});
    }
    print_table(table);
    print_goal("RSS, MiB", rows[0].rss, Want::at_most, 24);
    print_goal("wake-ups/s", rows[0].wakes, Want::at_most, 3);
}

}  // namespace
}  // namespace musher::bench

int main(int argc, char** argv) { musher::bench::run(musher::bench::read_options(argc, argv)); }
