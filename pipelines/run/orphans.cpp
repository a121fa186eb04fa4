#include "pipelines/run/orphans.h"

#include <fmt/format.h>

#include "pipelines/run/pipeline_row.h"

namespace musher {

namespace {
/// "p@node" → {"p", "node"}; a queue that hosts share has no node.
std::pair<std::string, std::string> parts_of(const std::string& queue) {
    const std::size_t at = queue.find('@');
    if (at == std::string::npos) return {queue, ""};
    return {queue.substr(0, at), queue.substr(at + 1)};
}

bool holds_jobs(const QueueStats& stats) {
    return stats.waiting + stats.delayed + stats.running + stats.done + stats.dead +
               stats.cancelled >
           0;
}

std::string free_name(const std::string& queue, const QueueServer& server,
                      std::set<std::string>& taken) {
    std::string pipeline = parts_of(queue).first;
    if (taken.insert(pipeline).second) return pipeline;
    if (taken.insert(queue).second) return queue;
    // The same queue on two servers: its pipeline has moved from one to the other.
    const std::string& connection = server.connection();
    return pipeline + "@" + (connection.empty() ? "queue" : connection);
}
}  // namespace

Task<Result<std::vector<Orphan*>>> Orphans::find(const Owned& owned, std::set<std::string> names,
                                                 const std::string& node, Cancel& cancel) {
    std::vector<Orphan*> found;
    for (const auto& [server, ours] : owned) {
        MUSHER_CO_TRY(const std::vector<std::string> all, co_await server->queues(cancel));
        for (const std::string& queue : all) {
            const std::string of_node = parts_of(queue).second;
            if (ours.contains(queue) || (!of_node.empty() && of_node != node)) continue;
            Orphan& one = known_[std::pair(server, queue)];
            const QueueOptions options;
            if (!one.queue) one.queue = server->queue(queue, node, options);
            MUSHER_CO_TRY(one.stats, co_await one.queue->stats(cancel));
            const bool elsewhere = of_node.empty() && one.stats.counters.value("reactors", 0) > 0;
            if (elsewhere || !holds_jobs(one.stats)) continue;
            one.name = free_name(queue, *server, names);
            found.push_back(&one);
        }
    }
    co_return found;
}

Task<void> Orphans::close() {
    for (auto& [place, one] : known_) co_await one.queue->close();
    known_.clear();
}

std::uint64_t unended_jobs(const Orphan& orphan) {
    return orphan.stats.waiting + orphan.stats.delayed + orphan.stats.running;
}

std::string orphan_trouble(const Orphan& orphan) {
    const std::uint64_t left = unended_jobs(orphan);
    std::string trouble = "no pipeline works on the queue " + orphan.queue->name();
    if (left > 0) {
        trouble +=
            fmt::format(", where {} {} not ended", left, left == 1 ? "job has" : "jobs have");
    }
    const bool files = !parts_of(orphan.queue->name()).second.empty();
    if (files && left > orphan.stats.running) {
        trouble += fmt::format("; musher jobs release {} puts the files of waiting jobs back",
                               orphan.name);
    }
    return trouble;
}

Json orphan_row(const Orphan& orphan) {
    Json source{{"kind", nullptr}, {"ok", false}, {"detail", "its file is gone"}};
    return pipeline_row(orphan.name, "orphaned", std::move(source), orphan.stats,
                        orphan_trouble(orphan));
}

}  // namespace musher
