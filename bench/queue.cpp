// bench-queue: RedisQueue beside the queues people use, all on one redis-server with appendfsync
// everysec, and beside that server's own limit. The clients' verbs: peers/queue/README.md.
#include <fmt/format.h>

#include <random>

#include "bench/support.h"
#include "tests/support/redis_server.h"

namespace musher::bench {
namespace {

constexpr std::size_t kHeld = 10;  // jobs in the hands of the worker that is killed
constexpr std::size_t kLeaseMs = 3000;
constexpr double kLeasesToWait = 3;

struct Peer {
    std::string name;
    std::vector<std::string> argv;
    std::size_t jobs;     // of one run: for about two seconds
    bool leases = false;  // has a lease of `lease_ms`; without one nothing comes back so soon
    std::string version = {};
    Figure enqueue = {}, drain = {}, p50 = {}, p99 = {}, bytes = {}, recovery = {};
};

std::vector<std::string> command(const Peer& peer, const std::string& mode,
                                 const std::string& socket,
                                 std::map<std::string, std::size_t> settings) {
    std::vector<std::string> argv = peer.argv;
    argv.push_back(mode);
    argv.push_back(socket);
    for (const auto& [name, value] : settings) argv.push_back(fmt::format("{}={}", name, value));
    return argv;
}

double used_memory(const test::RedisServer& redis) {
    const std::string info = redis.command({"INFO", "memory"});
    const auto value = [&](const std::string& key) {
        return std::atof(info.c_str() + info.find("\n" + key + ":") + key.size() + 2);
    };
    return value("used_memory") - value("mem_clients_normal") - value("mem_aof_buffer");
}

void add(Figure& figure, const Json& result, const char* name) {
    if (result.is_object()) figure.add(result.value(name, 0.0));
}

void measure_rates(Peer& peer, const test::RedisServer& redis) {
    redis.command({"FLUSHALL"});
    const double before = used_memory(redis);
    const std::map<std::string, std::size_t> settings{{"jobs", peer.jobs}};
    const Json filled = run_json(command(peer, "fill", redis.socket(), settings), 300);
    if (!filled.is_object()) return;
    add(peer.enqueue, filled, "per_s");
    peer.bytes.add((used_memory(redis) - before) / double(peer.jobs));
    add(peer.drain, run_json(command(peer, "drain", redis.socket(), settings), 300), "per_s");
}

void measure_latency(Peer& peer, const test::RedisServer& redis, std::size_t jobs) {
    redis.command({"FLUSHALL"});
    const std::map<std::string, std::size_t> settings{{"jobs", jobs}, {"rate", 50}};
    Program consumer(command(peer, "consume", redis.socket(), settings));
    if (consumer.line(60) != "ready") return;
    Program producer(command(peer, "produce", redis.socket(), settings));
    const std::optional<std::string> line = consumer.line(120);
    producer.wait(60);
    const Result<Json> waits = parse_json(line.value_or("null"));
    if (!waits || !waits->is_object()) return;
    add(peer.p50, *waits, "p50_ms");
    add(peer.p99, *waits, "p99_ms");
}

/// From kill -9 of the worker until another has all of its jobs, in leases.
void measure_recovery(Peer& peer, const test::RedisServer& redis, std::size_t phase_ms) {
    redis.command({"FLUSHALL"});
    std::map<std::string, std::size_t> settings{{"jobs", kHeld}, {"lease_ms", kLeaseMs}};
    run_json(command(peer, "fill", redis.socket(), settings), 60);
    Program worker(command(peer, "hold", redis.socket(), settings));
    if (!worker.line(60)) return;
    if (peer.argv.size() == 1) settings["phase_ms"] = phase_ms;
    worker.kill();
    const auto began = std::chrono::steady_clock::now();
    Program survivor(command(peer, "recover", redis.socket(), settings));
    if (!survivor.line(kLeasesToWait * kLeaseMs / 1000.0)) return;
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - began;
    peer.recovery.add(took.count() / double(kLeaseMs));
}

/// What this server does with bare lists of the same bytes: pipelined, four connections.
void measure_limit(Peer& limit, const test::RedisServer& redis) {
    redis.command({"FLUSHALL"});
    for (const auto& [verb, figure] :
         {std::pair{"lpush", &limit.enqueue}, {"rpop", &limit.drain}}) {
        Program program({"redis-benchmark", "-s", redis.socket(), "-t", verb, "-n", "200000", "-d",
                         "200", "-P", "32", "-c", "4", "--csv"});
        double rate = 0;
        while (const auto line = program.line(60)) {
            const std::size_t comma = line->find("\",\"");
            if (comma != std::string::npos) rate = std::atof(line->c_str() + comma + 3);
        }
        if (program.wait(10) == 0 && rate > 0) figure->add(rate);
    }
}

std::vector<Peer> all_peers(bool quick) {
    const std::size_t some = quick ? 5 : 1;
    const auto script = [](const char* name) { return source_path("bench/peers/queue/") + name; };
    std::vector<Peer> peers;
    peers.push_back({"musher", {program_path("bench-queue-client")}, 60'000 / some, true});
    peers.push_back({"BullMQ", {"node", script("bullmq.js")}, 20'000 / some, true});
    peers.push_back({"Sidekiq", {"ruby", script("sidekiq.rb")}, 20'000 / some});
    peers.push_back({"RQ", {"/usr/bin/python3", script("rq_peer.py")}, 1'000 / some});
    peers.push_back({"Celery", {"/usr/bin/python3", script("celery_peer.py")}, 2'000 / some});
    for (Peer& peer : peers) {
        std::vector<std::string> ask = peer.argv;
        ask.push_back("version");
        peer.version = peer.argv.size() == 1 ? "" : version_of(ask);
    }
    return peers;
}

std::string recovery_text(const Peer& peer, bool measured) {
    if (peer.recovery.known()) return peer.recovery.text();
    return measured ? fmt::format("none in {:.0f}", kLeasesToWait) : "-";
}

void print_results(const std::vector<Peer>& peers, const Peer& limit) {
    const Peer& ours = peers.front();
    std::vector<std::vector<std::string>> rows{{"", "enqueue/s", "musher is", "drain/s",
                                                "musher is", "start p50 ms", "p99 ms",
                                                "bytes/waiting", "recovery, leases"}};
    for (const Peer& peer : peers) {
        if (peer.version == "not installed") {
            rows.push_back({peer.name, "not installed"});
            continue;
        }
        rows.push_back({peer.version.empty() ? peer.name : peer.version, peer.enqueue.text(),
                        ours.enqueue.ratio_to(peer.enqueue), peer.drain.text(),
                        ours.drain.ratio_to(peer.drain), peer.p50.text(), peer.p99.text(),
                        peer.bytes.text(),
                        recovery_text(peer, peer.leases || peer.name == "Sidekiq")});
    }
    rows.push_back({limit.name, limit.enqueue.text(), ours.enqueue.ratio_to(limit.enqueue),
                    limit.drain.text(), ours.drain.ratio_to(limit.drain)});
    print_table(rows);
    const Peer &bullmq = peers[1], &sidekiq = peers[2];
    const auto goal = [](const std::string& what, const Figure& a, const Figure& b, double bound) {
        Figure ratio;
        if (a.known() && b.known()) ratio.add(a.median() / b.median());
        print_goal(what, ratio, Want::at_least, bound);
    };
    goal("enqueue / BullMQ addBulk", ours.enqueue, bullmq.enqueue, 4);
    goal("enqueue / Sidekiq push_bulk, which dedupes nothing", ours.enqueue, sidekiq.enqueue, 1);
    goal("drain / BullMQ", ours.drain, bullmq.drain, 2.5);
    print_goal("bytes per waiting job", ours.bytes, Want::at_most, 600);
    print_goal("recovery, leases", ours.recovery, Want::at_most, 1.5);
}

void run(const Options& options) {
    const test::RedisServer redis({"--appendfsync", "everysec"});
    std::vector<Peer> peers = all_peers(options.quick);
    Peer limit{"bare LPUSH and RPOP, 32 per round trip", {}, 0};
    print_machine("queue: 200 B per job, every queue on the same server over a unix socket",
                  {version_of({"redis-server", "--version"}) + "; appendfsync everysec"});
    std::mt19937 random(1);
    for (int i = 0; i < options.runs; ++i) {
        measure_limit(limit, redis);
        for (Peer& peer : peers) {
            if (peer.version == "not installed") continue;
            measure_rates(peer, redis);
            measure_latency(peer, redis, options.quick ? 50 : 200);
            const bool lossy = peer.name == "Sidekiq";
            if (peer.leases || lossy) measure_recovery(peer, redis, random() % (kLeaseMs / 2));
        }
    }
    print_results(peers, limit);
}

}  // namespace
}  // namespace musher::bench

int main(int argc, char** argv) { musher::bench::run(musher::bench::read_options(argc, argv)); }
