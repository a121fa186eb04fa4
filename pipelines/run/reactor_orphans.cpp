// What a Reactor answers for pipelines whose file is gone.
#include "pipelines/run/reactor_state.h"
#include "pipelines/run/release.h"
#include "reactor/base/text.h"

namespace musher {

namespace {
constexpr Duration kPatience = std::chrono::seconds(5);

/// Of a queue that no pipeline here has; nothing when no job was ever put into it.
Task<Result<std::optional<Released>>> release_unowned(RedisQueue& queue, const PutBack& put_back,
                                                      Cancel& cancel) {
    MUSHER_CO_TRY(const QueueStats stats, co_await queue.stats(cancel));
    if (!stats.counters.contains("enqueued")) co_return std::optional<Released>();
    MUSHER_CO_DO(co_await queue.open(cancel));
    const bool shared = queue.name().find('@') == std::string::npos;
    if (shared && !stats.paused && stats.counters.value("reactors", 0) > 0) {
        co_return fail(Errc::conflict, "another musher runs the pipeline " + queue.name(),
                       "pause it there and release its jobs there");
    }
    MUSHER_CO_TRY(const Released told, co_await release_waiting(queue, put_back, cancel));
    co_return std::optional<Released>(told);
}
}  // namespace

Task<Result<std::vector<Orphan*>>> Reactor::State::find_orphans(Cancel& cancel) {
    Orphans::Owned owned;
    std::set<std::string> names;
    owned[&queue_server];
    for (const auto& [connection, server] : named_servers) owned[server.get()];
    for (const auto& pipeline : pipelines.all()) {
        names.insert(pipeline->name());
        if (pipeline->config().direct) continue;
        owned[&server_of(pipeline->config())].insert(pipeline->queue().name());
    }
    MUSHER_CO_TRY(std::vector<Orphan*> found,
                  co_await orphans.find(owned, std::move(names), around.node, cancel));
    stranded.clear();
    for (const Orphan* one : found) {
        if (unended_jobs(*one) > 0) stranded[one->name] = orphan_trouble(*one);
    }
    co_return found;
}

/// For /health, which asks nobody.
void Reactor::State::look_for_orphans() {
    if (std::exchange(looking_for_orphans, true)) return;
    scope.spawn("orphans", find_stranded());
}

Task<void> Reactor::State::find_stranded() {
    Cancel patience(no_more_looks);
    const Deadline limit(loop.timers(), patience, kPatience);
    const Result<std::vector<Orphan*>> found = co_await find_orphans(patience);
    static_cast<void>(found);  // away: its server is in /health itself
    looking_for_orphans = false;
}

/// `unknown` when there is none of this name.
Task<Result<Orphan*>> Reactor::State::orphan_named(std::string name, Error unknown,
                                                   Cancel& cancel) {
    MUSHER_CO_TRY(const std::vector<Orphan*> all, co_await find_orphans(cancel));
    for (Orphan* one : all) {
        if (one->name == name) co_return one;
    }
    co_return fail(std::move(unknown));
}

/// The one whose queue knows the job; `unknown` when there is none, or when that is another error
/// than that no pipeline knows it.
Task<Result<Orphan*>> Reactor::State::orphan_with(std::string job, Error unknown, Cancel& cancel) {
    if (unknown.code != Errc::not_found) co_return fail(std::move(unknown));
    MUSHER_CO_TRY(const std::vector<Orphan*> all, co_await find_orphans(cancel));
    const std::vector<std::string> ids{job};
    for (Orphan* one : all) {
        MUSHER_CO_TRY(const std::vector<Presence> known, co_await one->queue->find(ids, cancel));
        if (known.front() != Presence::unknown) co_return one;
    }
    co_return fail(std::move(unknown));
}

/// No pipeline has the name, but a queue may: of this host's files, or one that hosts share.
Task<Result<Json>> Reactor::State::release_orphan(std::string name, Error unknown, Cancel& cancel) {
    const PutBack put_back = [this](std::vector<Settlement> released) {
        return put_back_orphans(loop, std::move(released));
    };
    if (!is_identifier(name)) {
        MUSHER_CO_TRY(const Orphan* one, co_await orphan_named(name, unknown, cancel));
        MUSHER_CO_TRY(const auto told, co_await release_unowned(*one->queue, put_back, cancel));
        co_return to_json(name, told.value_or(Released()));
    }
    const std::vector<std::string> queues{name + "@" + around.node, name};
    bool known = false;
    Released told;
    for (const std::string& one : queues) {
        const QueueOptions options;
        const auto queue = queue_server.queue(one, around.node, options);
        const auto done = co_await release_unowned(*queue, put_back, cancel);
        co_await queue->close();
        if (!done) co_return fail(done.error());
        if (!*done) continue;
        known = true;
        told.released += (*done)->released;
        told.kept += (*done)->kept;
    }
    if (!known) co_return fail(std::move(unknown));
    co_return to_json(name, told);
}

}  // namespace musher
