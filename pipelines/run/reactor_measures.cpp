// What a Reactor says of itself: /health and /metrics.
#include <fmt/format.h>

#include "pipelines/config/problems.h"
#include "pipelines/run/reactor_state.h"
#include "reactor/base/log.h"

namespace musher {

namespace {
constexpr Duration kRetryPatience = std::chrono::seconds(5);

/// One reason: what is at fault, and how it is told to people.
Json problem_of(const char* what, const std::string& name, const std::string& reason) {
    return Json{{"what", what}, {"name", name}, {"reason", reason}};
}
}  // namespace

std::vector<Reach> Reactor::State::queue_servers() const {
    std::vector<Reach> servers{{"", queue_server.shown_url(), queue_server.trouble()}};
    for (const auto& [connection, server] : named_servers) {
        servers.push_back(Reach{connection, server->shown_url(), server->trouble()});
    }
    return servers;
}

std::vector<Reach> Reactor::State::connections() const {
    std::vector<Reach> used;
    const Connections& named = configuration.daemon.connections;
    for (const auto& [name, trouble] : pool.troubles()) {
        const auto known = named.find(name);
        if (known != named.end()) used.push_back(Reach{name, known->second.kind, trouble});
    }
    return used;
}

Task<void> Reactor::State::retry_connections() {
    Cancel patience(no_more_looks);
    const Deadline limit(loop.timers(), patience, kRetryPatience);
    co_await pool.retry(patience);
    retrying = false;
}

Json Reactor::health() {
    State& state = *state_;
    Json problems = Json::array();
    Json reasons = Json::array();
    bool works = true;  // all jobs go on
    const auto add = [&](Json problem, std::string reason) {
        problems.push_back(std::move(problem));
        reasons.push_back(std::move(reason));
    };
    // A pipeline without work notices only now and then that its server is away.
    for (const Reach& server : state.queue_servers()) {
        if (server.trouble.empty()) continue;
        works = false;
        add(problem_of("queue", server.name, server.trouble),
            fmt::format("queue {}: {}", server.name, server.trouble));
    }
    for (const auto& pipeline : state.pipelines.all()) {
        const std::string trouble = pipeline->problem();
        if (trouble.empty()) continue;
        works = false;
        add(problem_of("pipeline", pipeline->name(), trouble), pipeline->name() + ": " + trouble);
    }
    for (const auto& [pipeline, trouble] : state.stranded) {
        works = false;
        add(problem_of("orphan", pipeline, trouble), pipeline + ": " + trouble);
    }
    for (const Reach& one : state.connections()) {
        if (one.trouble.empty()) continue;
        works = false;
        add(problem_of("connection", one.connection, one.trouble),
            fmt::format("connection {}: {}", one.connection, one.trouble));
        if (std::exchange(state.retrying, true)) continue;
        state.scope.spawn("retry", state.retry_connections());
    }
    for (const auto& [file, problem] : state.refused) {
        const std::string reason = problem_line(problem);
        add(problem_of("edit", file, reason), reason);
    }
    for (const auto& [setting, reason] : state.failed) {
        add(problem_of("setting", setting, reason), setting + ": " + reason);
    }
    const std::string unlogged = log::trouble();
    if (!unlogged.empty()) add(problem_of("setting", "log", unlogged), "log: " + unlogged);
    const char* status = reasons.empty() ? "ok" : works ? "degraded" : "failing";
    return Json{{"ok", reasons.empty()},
                {"status", status},
                {"reasons", std::move(reasons)},
                {"problems", std::move(problems)}};
}

Task<Measures> Reactor::measures(Cancel& cancel) {
    State& state = *state_;
    const std::vector<std::shared_ptr<Pipeline>> pipelines = state.pipelines.all();
    std::vector<NamedQueue> queues;
    for (const auto& one : pipelines) {
        queues.push_back(NamedQueue{one->name(), std::shared_ptr<JobQueue>(one, &one->queue())});
    }
    const auto counts = co_await state.counts.look(std::move(queues), cancel);
    Measures all;
    for (const auto& pipeline : pipelines) {
        const Dispatcher& dispatcher = pipeline->dispatcher();
        PipelineMeasures& one = all.pipelines.emplace_back();
        one.name = pipeline->name();
        one.counts = &pipeline->tally().counts();
        one.in_flight = dispatcher.running();
        one.revision = pipeline->program().revision();
        one.well = pipeline->problem().empty();
        one.held = dispatcher.hold().active();
        one.paused = pipeline->paused();
        one.edit_refused = state.refused.contains(pipeline->newest().config().shown);
        const auto known = counts->find(one.name);
        if (known != counts->end() && known->second) one.queue = *known->second;
    }
    all.queues = state.queue_servers();
    all.connections = state.connections();
    all.refused_files = state.refused.size();
    all.refusals = state.refusals;
    co_return all;
}

EventRing& Reactor::events() { return state_->happenings; }

Result<void> Reactor::check_pipeline(const std::string& name) const {
    const Result<std::shared_ptr<Pipeline>> found = state_->find(name);
    if (!found) return fail(found.error());
    return {};
}

}  // namespace musher
