// bench-queue-client MODE SOCKET [NAME=VALUE…]: musher's side of bench-queue, with the verbs of its
// peers (peers/queue/README.md). Also here: batch=, jobs of one put or cycle; callers=, puts or
// cycles at a time; lease_ms=; phase_ms=, when `recover` reaps first; history=, finished jobs kept.
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>

#include "pipelines/queue/redis_queue.h"
#include "reactor/base/uuid.h"
#include "reactor/drivers/redis_subscription.h"
#include "reactor/loop/signals.h"

namespace musher {
namespace {

constexpr std::size_t kPayload = 200;  // bytes of facts, as JSON

struct Settings {
    std::string mode, socket;
    std::size_t jobs = 1000, batch = 1000, callers = 4, rate = 50;
    std::size_t lease_ms = 30'000, phase_ms = 0, history = 100'000;
    milliseconds lease() const { return milliseconds(static_cast<std::int64_t>(lease_ms)); }
};

struct Bench {
    Loop& loop;
    Settings set;
    Redis& redis;
    RedisQueue& queue;
    Waiters woken;
    Cancel never;
    std::size_t left = 0;  // jobs not yet put
    std::vector<double> waits_ms;
};

void print_rate(const Bench& bench, Instant began) {
    const std::chrono::duration<double> took = bench.loop.clock().now() - began;
    fmt::print("{{\"per_s\":{:.0f}}}\n", double(bench.set.jobs) / took.count());
}

/// On CLOCK_MONOTONIC, which all processes share.
double now_ms() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration<double, std::milli>(now).count();
}

[[noreturn]] void give_up(const Error& error) {
    std::fprintf(stderr, "bench-queue-client: error: %s\n", error.text().c_str());
    std::exit(1);
}

Job make_job(std::int64_t wall_ms) {
    Job job;
    job.id = new_uuid7(wall_ms);
    job.pipeline = job.queue = "bench";
    job.revision = 1;
    job.created_ms = job.event.time_ms = wall_ms;
    job.event.id = job.id;
    job.event.source = "bench";
    job.event.kind = "emit";
    job.event.date = "2024-01-01";
    job.event.facts = Json{{"at", fmt::format("{:.3f}", now_ms())}, {"data", ""}};
    const std::size_t rest = kPayload - to_line(job.event.facts).size();
    job.event.facts.edit()["data"] = std::string(rest, 'x');
    return job;
}

void print_waits(std::vector<double> waits) {
    waits.erase(waits.begin(), waits.begin() + std::ptrdiff_t(waits.size() / 10));
    std::sort(waits.begin(), waits.end());
    const auto at = [&](double share) {
        return waits[std::size_t(share * double(waits.size() - 1))];
    };
    fmt::print("{{\"p50_ms\":{:.3f},\"p99_ms\":{:.3f}}}\n", at(0.5), at(0.99));
}

Task<void> put_some(Bench& bench) {
    while (bench.left > 0) {
        const std::size_t n = std::min(bench.left, bench.set.batch);
        bench.left -= n;
        std::vector<Job> jobs;
        jobs.reserve(n);
        for (std::size_t i = 0; i < n; ++i) {
            jobs.push_back(make_job(bench.loop.clock().wall_ms()));
        }
        const auto codes = co_await bench.queue.put(std::move(jobs), bench.never);
        if (!codes) give_up(codes.error());
    }
}

Task<void> fill(Bench& bench) {
    bench.left = bench.set.jobs;
    const Instant began = bench.loop.clock().now();
    Scope scope("fill", bench.loop.ready(), bench.loop.clock());
    for (std::size_t i = 0; i < bench.set.callers; ++i) scope.spawn("put", put_some(bench));
    co_await scope.join();
    print_rate(bench, began);
}

/// The handler, which only counts or looks at the clock, and its acks.
std::vector<Ack> handle(Bench& bench, const std::vector<Claim>& claims) {
    std::vector<Ack> acks;
    for (const Claim& claim : claims) {
        const double put = std::atof(claim.job.event.facts->value("at", "0").c_str());
        bench.waits_ms.push_back(now_ms() - put);
        acks.push_back(Ack{claim.job.id, claim.token, nullptr});
    }
    return acks;
}

Task<void> drain_some(Bench& bench) {
    std::vector<Ack> acks;
    do {
        CycleIn in;
        in.claim = bench.set.batch;
        in.acks = std::move(acks);
        const Result<CycleOut> out = co_await bench.queue.cycle(std::move(in), bench.never);
        if (!out) give_up(out.error());
        acks = handle(bench, out->claimed.claims);
    } while (!acks.empty());
}

Task<void> drain(Bench& bench) {
    const Instant began = bench.loop.clock().now();
    Scope scope("drain", bench.loop.ready(), bench.loop.clock());
    for (std::size_t i = 0; i < bench.set.callers; ++i) scope.spawn("run", drain_some(bench));
    co_await scope.join();
    if (bench.waits_ms.size() != bench.set.jobs) give_up(Error(Errc::failed, "jobs were left"));
    print_rate(bench, began);
}

Task<void> produce(Bench& bench) {
    const Duration step = std::chrono::nanoseconds(1'000'000'000 / bench.set.rate);
    const Instant began = bench.loop.clock().now();
    for (std::size_t i = 0; i < bench.set.jobs; ++i) {
        const Duration until =
            began + step * static_cast<std::int64_t>(i) - bench.loop.clock().now();
        const Result<void> slept =
            co_await bench.loop.timers().sleep(std::max(until, Duration(0)), bench.never);
        std::vector<Job> jobs;
        jobs.push_back(make_job(bench.loop.clock().wall_ms()));
        const auto codes = co_await bench.queue.put(std::move(jobs), bench.never);
        if (!slept || !codes) give_up(codes.error());
    }
}

/// Open-loop latency: what the dispatcher does when it is idle. Sleeps until the doorbell.
Task<void> consume(Bench& bench) {
    RedisSubscription bell(bench.loop, bench.redis.target());
    RedisSubscription::Listener listener;
    bool rung = false;
    const auto ring = [&] {
        rung = true;
        bench.woken.wake_all();
    };
    listener.on_message = [&](std::string_view) { ring(); };
    listener.on_gap = ring;
    bell.subscribe(std::string(kWakeChannel), std::move(listener));
    fmt::print("ready\n");
    std::fflush(stdout);
    CycleIn in;
    while (bench.waits_ms.size() < bench.set.jobs || !in.acks.empty()) {
        in.claim = limits::kQueueBatch;
        rung = false;
        const Result<CycleOut> out = co_await bench.queue.cycle(std::move(in), bench.never);
        if (!out) give_up(out.error());
        in.acks = handle(bench, out->claimed.claims);
        if (rung || !in.acks.empty() || bench.waits_ms.size() >= bench.set.jobs) continue;
        const Result<void> woken = co_await bench.woken.wait(bench.never);
        if (!woken) break;
    }
    co_await bell.close();
    print_waits(std::move(bench.waits_ms));
}

Task<void> hold(Bench& bench) {
    CycleIn in;
    in.claim = bench.set.jobs;
    const Result<CycleOut> out = co_await bench.queue.cycle(std::move(in), bench.never);
    if (!out) give_up(out.error());
    fmt::print("holding {}\n", out->claimed.claims.size());
    std::fflush(stdout);
    const Result<void> forever = co_await bench.woken.wait(bench.never);
    static_cast<void>(forever);
}

/// As the dispatcher does it: a look for lost leases each half lease, at no particular time.
Task<void> recover(Bench& bench) {
    std::size_t got = 0;
    milliseconds pause(static_cast<std::int64_t>(bench.set.phase_ms));
    while (got < bench.set.jobs) {
        const Result<void> slept = co_await bench.loop.timers().sleep(pause, bench.never);
        pause = bench.set.lease() / 2;
        const Result<Reaped> reaped = co_await bench.queue.reap(bench.never);
        CycleIn in;
        in.claim = bench.set.jobs;
        const Result<CycleOut> out = co_await bench.queue.cycle(std::move(in), bench.never);
        if (!slept || !reaped || !out) give_up(Error(Errc::failed, "the queue went away"));
        got += out->claimed.claims.size();
    }
    fmt::print("{{\"jobs\":{}}}\n", got);
}

Task<void> run(Loop& loop, const Settings& set) {
    Result<RedisTarget> target = RedisTarget::from_url(set.socket);
    if (!target) give_up(target.error());
    Redis redis(loop, *target);
    QueueOptions options;
    options.lease = set.lease();
    options.history = set.history;
    RedisQueue queue(loop, redis, "bench", options);
    {
        Bench bench{loop, set, redis, queue, Waiters(loop.ready()), {}, 0, {}};
        const Result<void> opened = co_await queue.open(bench.never);
        if (!opened) give_up(opened.error());
        const std::map<std::string, Task<void> (*)(Bench&)> modes{
            {"fill", fill},       {"drain", drain}, {"produce", produce},
            {"consume", consume}, {"hold", hold},   {"recover", recover}};
        const auto mode = modes.find(set.mode);
        if (mode == modes.end()) give_up(Error(Errc::usage, "unknown mode " + set.mode));
        co_await mode->second(bench);
    }
    co_await queue.close();
    co_await redis.close();
}

Settings read_settings(int argc, char** argv) {
    if (argc < 3) give_up(Error(Errc::usage, "bench-queue MODE SOCKET [NAME=VALUE…]"));
    Settings set;
    set.mode = argv[1];
    set.socket = argv[2];
    const std::map<std::string, std::size_t*> names{
        {"jobs", &set.jobs},      {"batch", &set.batch},       {"callers", &set.callers},
        {"rate", &set.rate},      {"lease_ms", &set.lease_ms}, {"phase_ms", &set.phase_ms},
        {"history", &set.history}};
    for (int i = 3; i < argc; ++i) {
        const std::string word = argv[i];
        const auto name = names.find(word.substr(0, word.find('=')));
        if (name == names.end()) give_up(Error(Errc::usage, "unknown setting " + word));
        *name->second = std::strtoull(word.c_str() + word.find('=') + 1, nullptr, 10);
    }
    return set;
}

}  // namespace
}  // namespace musher

int main(int argc, char** argv) {
    musher::ignore_harmless_signals();
    const musher::Settings set = musher::read_settings(argc, argv);
    musher::RealClock clock;
    musher::Loop loop(clock);
    loop.run(musher::run(loop, set));
    return loop.close();
}
