#include "pipelines/run/reactor.h"

#include <algorithm>
#include <filesystem>

#include "pipelines/queue/memory_queue.h"
#include "pipelines/queue/state_lock.h"
#include "pipelines/run/reactor_state.h"
#include "reactor/base/fd.h"
#include "reactor/base/log.h"
#include "reactor/base/text.h"
#include "reactor/base/uuid.h"
#include "reactor/loop/offload.h"

namespace musher {

namespace {
constexpr Duration kTick = std::chrono::seconds(15);
constexpr Duration kGrace = std::chrono::seconds(30);
constexpr Duration kVerbPatience = std::chrono::seconds(15);

/// Files of a folder that only this host sees make jobs that only this host may run.
bool local_jobs(const Program& program) {
    const PipelineConfig& config = program.config();
    return config.source->local_files && !program.source_options().flag("shared");
}

/// Scratch folders of a process that was killed; nobody else works in a locked state directory.
Result<void> sweep_scratch(const std::string& root) {
    std::error_code failed;
    std::filesystem::remove_all(root, failed);
    std::filesystem::create_directories(root, failed);
    if (failed) return fail(errno_error(failed.value(), "creating " + root));
    return {};
}

/// A verb holds the state directory for a moment only: it is waited for.
Task<Result<StateLock>> lock_state(Loop& loop, const std::string& folder, StateLock::Holder as,
                                   Cancel& cancel) {
    const Instant enough = loop.clock().now() + kVerbPatience;
    for (bool told = false;; told = true) {
        Result<StateLock> lock = StateLock::take(folder, as);
        if (lock || lock.error().code != Errc::conflict) co_return lock;
        if (!StateLock::verb_holds(folder) || loop.clock().now() >= enough) co_return lock;
        if (!told) log::info("state.busy", Json{{"reason", lock.error().text()}});
        MUSHER_CO_DO(co_await loop.timers().sleep(milliseconds(20), cancel));
    }
}
/// A text that cannot be kept runs all the same, as number 0. Pool thread.
std::vector<int> number_revisions(Revisions& revisions,
                                  const std::vector<PipelineConfig>& configs) {
    std::vector<int> numbers;
    for (const PipelineConfig& config : configs) {
        const Result<int> number = revisions.record(config.name, config.text);
        if (!number) {
            log::warning("revision.not_kept",
                         Json{{"pipeline", config.name}, {"reason", number.error().text()}});
        }
        numbers.push_back(number.value_or(0));
    }
    return numbers;
}
}  // namespace

Reactor::Reactor(Loop& loop, Configuration configuration)
    : state_(std::make_unique<State>(loop, std::move(configuration))) {}

Reactor::~Reactor() = default;

std::string Reactor::State::queue_of(const Program& program) const {
    const std::string& name = program.config().name;
    return local_jobs(program) ? name + "@" + around.node : name;
}

QueueOptions Reactor::State::queue_options(const PipelineConfig& config) const {
    QueueOptions options;
    options.waiting = static_cast<std::size_t>(config.limits.waiting);
    options.keep = configuration.daemon.history_keep;
    options.history = static_cast<std::size_t>(configuration.daemon.history_jobs);
    if (config.direct) options.history = std::min(options.history, limits::kDirectHistory);
    return options;
}

PipelineSet::Ways Reactor::State::ways() {
    PipelineSet::Ways ways;
    ways.queue_of = [this](const Program& program) { return queue_of(program); };
    ways.limits_of = [this](const Program& program) { return queue_options(program.config()); };
    ways.gone = [this] { look_for_orphans(); };
    ways.make =
        [this](std::shared_ptr<const Program> program) -> Result<std::shared_ptr<Pipeline>> {
        const PipelineConfig& config = program->config();
        const std::string name = config.name;
        std::unique_ptr<JobQueue> queue;
        if (config.direct) {
            queue = std::make_unique<MemoryQueue>(queue_of(*program), loop.clock(),
                                                  queue_options(config));
        } else {
            queue = server_of(config).queue(queue_of(*program), around.node, queue_options(config));
        }
        auto pipeline =
            std::make_shared<Pipeline>(around, std::move(program), std::move(queue),
                                       tally_of(name), &scope);
        MUSHER_DO(pipeline->build());
        return pipeline;
    };
    return ways;
}

/// `revision`: of each pipeline, in their order.
Result<void> Reactor::State::build_pipelines(const std::vector<int>& revision) {
    for (std::size_t i = 0; i < configuration.pipelines.size(); ++i) {
        PipelineConfig& config = configuration.pipelines[i];
        const std::string name = config.name;
        MUSHER_TRY(programs[name], Program::compile(std::move(config), revision[i]));
        MUSHER_DO(pipelines.add(programs[name]));
    }
    configuration.pipelines.clear();
    return {};
}

Result<std::shared_ptr<Pipeline>> Reactor::State::find(const std::string& name) const {
    if (auto found = pipelines.find(name)) {
        if (!started.empty() || !found->config().direct) return found;
        return fail(Errc::unavailable, "no musher runs, and " + name + " goes `via: direct`",
                    "its jobs are in the memory of a reactor that runs; its source knows the rest");
    }
    const auto all = pipelines.all();
    std::vector<std::string_view> names;
    for (const auto& pipeline : all) names.push_back(pipeline->name());
    const std::optional<std::string_view> meant = nearest(name, names);
    return fail(Errc::not_found, "no pipeline is named '" + name + "'",
                meant ? "did you mean " + std::string(*meant) + "?" : "see musher status");
}

/// The pipeline whose queue knows the job.
Task<Result<std::shared_ptr<Pipeline>>> Reactor::State::holder(std::string job,
                                                               Cancel& cancel) const {
    const std::vector<std::string> ids{job};
    const std::vector<std::shared_ptr<Pipeline>> all = pipelines.all();
    for (const auto& pipeline : all) {
        MUSHER_CO_TRY(const std::vector<Presence> known,
                      co_await pipeline->queue().find(ids, cancel));
        if (known.front() != Presence::unknown) co_return pipeline;
    }
    co_return fail(Errc::not_found, "no queue knows the job " + job, "see musher jobs list");
}

Tally& Reactor::State::tally_of(const std::string& pipeline) {
    return tallies.try_emplace(pipeline, loop.clock(), happenings, pipeline).first->second;
}

void Reactor::State::start_ticking() {
    // One timer for all: idle pipelines share their wake-ups.
    tick.arm(kTick, [this] {
        for (const auto& pipeline : pipelines.all()) pipeline->tick();
        pool.sweep();
        look_for_orphans();
        // Once it is written, the log works again.
        if (const std::string why = log::trouble(); !why.empty()) {
            log::error("log.lines_lost", Json{{"reason", why}});
        }
        start_ticking();
    });
}

void Reactor::State::on_wake(std::string_view message) {
    const bool order = message.ends_with(kOrder);
    const std::string_view queue = message.substr(0, message.size() - (order ? kOrder.size() : 0));
    for (const auto& pipeline : pipelines.all()) {
        if (message.empty()) {
            pipeline->recheck();
        } else if (pipeline->queue().name() != queue) {
            continue;
        } else if (order) {
            pipeline->obey();
        } else {
            pipeline->wake();
        }
    }
}

/// What jobs see, and who we are. `not_found`: no reactor has ever run here. `corrupt`: we are
/// nobody; never made up anew, for the jobs with this host's files are in queues of that name.
Result<void> Reactor::State::look_around() {
    const DaemonConfig& daemon = configuration.daemon;
    around.teletype = &teletype;
    around.environment = daemon.environment;
    around.vars = daemon.vars;
    around.timezone = daemon.timezone;
    around.state = daemon.state;
    around.scratch_root = daemon.state + "/scratch";
    const std::string file = daemon.state + "/node";
    MUSHER_TRY(around.node, read_small_file(file, 100));
    while (!around.node.empty() && around.node.back() == '\n') around.node.pop_back();
    if (is_uuid(around.node)) return {};
    return fail(Errc::corrupt, file + " does not hold the UUID of this node",
                "put it back from a backup, or take it from the queue of a pipeline with files of "
                "this host: redis-cli --scan --pattern 'm1:{*@*:p'. A new one (remove the file) "
                "leaves this host's jobs to nobody");
}

/// On the terminal that musher.yml names; one that does not work stops nothing.
void Reactor::State::show_stories() {
    const Result<void> opened = teletype.open(configuration.daemon.log_tty);
    if (opened) return;
    log::warning("log.tty_lost",
                 Json{{"reason", opened.error().text()}, {"hint", opened.error().hint}});
}

Task<Result<void>> Reactor::State::start_servers(Cancel& cancel) {
    MUSHER_CO_DO(co_await queue_server.start(cancel));
    for (const PipelineConfig& config : configuration.pipelines) {
        MUSHER_CO_DO(co_await start_server(config.queue, cancel));
    }
    co_return Result<void>();
}

Task<Result<void>> Reactor::State::start_server(std::string connection, Cancel& cancel) {
    if (connection.empty() || named_servers.contains(connection)) co_return Result<void>();
    auto server = std::make_unique<QueueServer>(loop, configuration.daemon, connection);
    MUSHER_CO_DO(co_await server->start(cancel));
    named_servers[connection] = std::move(server);
    server_options[connection] = configuration.daemon.connections.at(connection).options;
    co_return Result<void>();
}

QueueServer& Reactor::State::server_of(const PipelineConfig& config) {
    return config.queue.empty() ? queue_server : *named_servers.at(config.queue);
}

/// What lies behind a Reactor that works no more.
Task<void> Reactor::State::leave() {
    no_more_looks.request();
    co_await scope.join();
    pipelines.clear();
    co_await orphans.close();
    co_await pool.close();
    for (const auto& [connection, server] : named_servers) co_await server->stop();
    named_servers.clear();
    co_await queue_server.stop();
}

Task<Result<void>> Reactor::run(Cancel& stop, Hooks hooks) {
    State& state = *state_;
    const std::string folder = state.configuration.daemon.state;
    state.started = format_time(state.loop.clock().wall_ms());
    state.settings_changed = std::move(hooks.settings);
    MUSHER_CO_TRY(const StateLock lock,
                  co_await lock_state(state.loop, folder, StateLock::Holder::reactor, stop));
    MUSHER_CO_DO(state.look_around());
    state.show_stories();
    Result<void> built = co_await state.start_servers(stop);
    auto sweep = [&state] { return sweep_scratch(state.around.scratch_root); };
    if (built) built = co_await offload(state.loop, sweep);
    auto number = [&state] {
        return number_revisions(state.revisions, state.configuration.pipelines);
    };
    std::vector<int> numbers;
    if (built) numbers = co_await offload(state.loop, number);
    if (built) built = state.build_pipelines(numbers);
    if (built) {
        auto on_wake = [&state](std::string_view message) { state.on_wake(message); };
        state.queue_server.subscribe(on_wake);
        for (const auto& [connection, server] : state.named_servers) server->subscribe(on_wake);
        state.pipelines.start(stop, kGrace);
        state.scope.spawn("edits", state.follow_edits(stop));
        CancelHook looks;
        looks.attach(stop, [&state] { state.no_more_looks.request(); });
        state.start_ticking();
        state.look_for_orphans();
        hooks.ready();
        co_await state.scope.join();  // edits end first: they may add pipelines
        co_await state.pipelines.join();
        state.tick.disarm();
    }
    co_await hooks.leaving();
    co_await state.leave();
    co_return built;
}

/// kill -9 anywhere: the lock goes with the process, a private redis-server too, and each step of
/// `work` is one that a reactor takes; its recovery at the next start finishes it.
Task<Result<void>> Reactor::visit(std::function<Task<void>()> work, Cancel& cancel) {
    State& state = *state_;
    const std::string folder = state.configuration.daemon.state;
    MUSHER_CO_DO(state.look_around());
    MUSHER_CO_TRY(const StateLock lock,
                  co_await lock_state(state.loop, folder, StateLock::Holder::verb, cancel));
    Result<void> opened = co_await state.start_servers(cancel);
    std::vector<int> numbers;
    for (const PipelineConfig& config : state.configuration.pipelines) {
        numbers.push_back(state.revisions.newest(config.name));
    }
    if (opened) opened = state.build_pipelines(numbers);
    const std::vector<std::shared_ptr<Pipeline>> pipelines = state.pipelines.all();
    for (const auto& pipeline : pipelines) {
        if (opened) opened = co_await pipeline->open(cancel);
    }
    if (opened) co_await work();
    for (const auto& pipeline : pipelines) co_await pipeline->close();
    co_await state.leave();
    co_return opened;
}

}  // namespace musher
