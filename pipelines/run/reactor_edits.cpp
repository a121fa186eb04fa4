// Edits of the configuration while a Reactor works: read, judged, tried, brought to life. What is
// at fault is refused and told, and what ran before goes on.
#include <fmt/format.h>

#include <filesystem>

#include "pipelines/config/problems.h"
#include "pipelines/run/pipeline_row.h"
#include "pipelines/run/probe.h"
#include "pipelines/run/reactor_state.h"
#include "reactor/base/log.h"
#include "reactor/drivers/atomic_file.h"
#include "reactor/loop/offload.h"

namespace musher {

namespace {
constexpr Duration kQuiet = milliseconds(50);
constexpr int kLooks = 100;  // at files that are not quiet; then they are read as they are
constexpr Duration kLook = std::chrono::seconds(15);  // without an event
constexpr Duration kProbe = std::chrono::seconds(5);

Problem fault_of(const PipelineConfig& config, const char* code, const Error& error) {
    return Problem{config.source_options.at, Problem::Severity::error, code, error.text(),
                   error.hint};
}
}  // namespace

Task<void> Reactor::State::follow_edits(Cancel& stop) {
    auto changed = [this] { edited.ring(); };
    Result<std::unique_ptr<ConfigWatch>> watch = ConfigWatch::open(loop, changed);
    if (!watch) {
        log::warning("config.not_watched",
                     Json{{"reason", watch.error().text()}, {"hint", "edits are seen every 15 s"}});
    }
    auto sample = [this] { return sample_config(configuration.daemon); };
    auto watch_all = [this, &watch] {
        std::vector<std::string> paths = configuration.daemon.pipelines;
        paths.push_back(configuration.daemon.file);
        return watch ? (*watch)->add(watch_points(paths)) : ConfigWatch::Watched();
    };
    std::vector<ConfigSample::Row> taken;  // read at start, but maybe edited since
    while (!stop.requested()) {
        ConfigWatch::Watched watched = co_await offload(loop, watch_all);
        if (watch) (*watch)->adopt(std::move(watched));
        ConfigSample now = co_await offload(loop, sample);
        if (read_anew || now.rows != taken) {
            now = co_await quiet_sample(std::move(now), stop);
            read_anew = false;
            taken = std::move(now.rows);
            co_await take_edits(stop);
            continue;
        }
        Cancel enough(stop);
        const Deadline deadline(loop.timers(), enough, kLook);
        const Result<void> rung = co_await edited.wait(enough);
        // What could not be tried, an unmounted folder say, is tried again.
        if (!rung && !refused.empty()) read_anew = true;
    }
}

/// Until nobody writes and nothing changes: half a file may be sound.
Task<ConfigSample> Reactor::State::quiet_sample(ConfigSample sample, Cancel& stop) {
    auto look = [this] { return sample_config(configuration.daemon); };
    for (int looks = 0; looks < kLooks && !stop.requested(); ++looks) {
        const Result<void> slept = co_await loop.timers().sleep(kQuiet, stop);
        if (!slept) break;
        ConfigSample again = co_await offload(loop, look);
        const bool quiet = again.rows == sample.rows && !again.writers;
        sample = std::move(again);
        if (quiet) break;
    }
    co_return sample;
}

Task<void> Reactor::State::take_edits(Cancel& stop) {
    std::vector<PipelineConfig> running;
    for (const auto& [name, program] : programs) running.push_back(program->config());
    const std::string file = configuration.daemon.shown;
    auto read = [&file, &running] { return read_edits(file, running); };
    Edits edits = co_await offload(loop, read);
    // What is tried now may keep its jobs on a connection that is new.
    if (edits.daemon_sound) {
        Connections named = edits.daemon.connections;
        named.merge(configuration.daemon.connections);
        configuration.daemon.connections = std::move(named);
    }
    Programs wanted;
    for (Edits::One& one : edits.pipelines) {
        if (stop.requested()) co_return;
        const std::string name = one.config.name;
        const std::string shown = one.config.shown;
        const auto known = programs.find(name);
        if (!one.edited && known != programs.end()) {
            wanted[name] = known->second;
            continue;
        }
        Result<std::shared_ptr<const Program>> program;
        std::optional<Problem> problem = co_await try_edit(std::move(one.config), program, stop);
        if (problem) edits.refused.emplace(shown, std::move(*problem));
        if (program) wanted[name] = std::move(*program);
    }
    if (stop.requested()) co_return;
    keep_refused(edits.refused, wanted);
    if (edits.daemon_sound) take_settings(std::move(edits.daemon), !edits.refused.empty());
    bring_to_life(std::move(wanted), edits.refused);
    tell_refused(std::move(edits.refused));
}

/// What a refused file ran goes on, also when the edit gave it another name.
void Reactor::State::keep_refused(const std::map<std::string, Problem>& faults,
                                  Programs& wanted) const {
    for (const auto& [name, program] : programs) {
        if (faults.contains(program->config().shown)) wanted.emplace(name, program);
    }
}

void Reactor::State::bring_to_life(Programs wanted, std::map<std::string, Problem>& faults) {
    for (const auto& [name, error] : pipelines.apply(wanted)) {
        const PipelineConfig& config = wanted[name]->config();
        faults.emplace(config.shown, fault_of(config, "bad_source", error));
        const auto before = programs.find(name);
        if (before == programs.end()) wanted.erase(name);
        if (before != programs.end()) wanted[name] = before->second;
    }
    for (const auto& [name, program] : wanted) {
        const auto before = programs.find(name);
        if (before != programs.end() && before->second == program) continue;
        const bool added = before == programs.end();
        log::info(added ? "pipeline.added" : "pipeline.edited",
                  Json{{"pipeline", name}, {"revision", program->revision()}});
        tell_edit(added ? "added" : "edited", name, program->config().shown, "");
    }
    for (const auto& [name, program] : programs) {
        if (wanted.contains(name)) continue;
        log::info("pipeline.removed", Json{{"pipeline", name}});
        tell_edit("removed", name, program->config().shown, "");
    }
    programs = std::move(wanted);
}

/// `program` is the edit's when it may run; else why not. Tried before it is counted: a text that
/// cannot run is no revision. kill -9 after the revision is kept: the next start reads the same
/// text under the same number.
Task<std::optional<Problem>> Reactor::State::try_edit(
    PipelineConfig config, Result<std::shared_ptr<const Program>>& program, Cancel& stop) {
    program = fail(Errc::usage, "refused");
    const Result<void> served = co_await serve_queue(config.queue, stop);
    if (!served) co_return fault_of(config, "no_queue", served.error());
    auto trial = Program::compile(config, 0);
    if (!trial) co_return fault_of(config, "not_built", trial.error());
    const Result<void> moves = co_await may_move(**trial, stop);
    if (!moves) co_return fault_of(config, "jobs_left_behind", moves.error());
    std::optional<Problem> problem = co_await probe(std::move(*trial), stop);
    if (problem) co_return problem;
    auto number = [this, &config] { return revisions.record(config.name, config.text); };
    const Result<int> revision = co_await offload(loop, number);
    if (!revision) {
        log::warning("revision.not_kept",
                     Json{{"pipeline", config.name}, {"reason", revision.error().text()}});
    }
    const PipelineConfig edit = config;
    program = Program::compile(std::move(config), revision.value_or(0));
    if (!program) co_return fault_of(edit, "not_built", program.error());
    co_return std::nullopt;
}

Task<Result<void>> Reactor::State::serve_queue(std::string connection, Cancel& stop) {
    const bool fresh = !connection.empty() && !named_servers.contains(connection);
    MUSHER_CO_DO(co_await start_server(connection, stop));
    if (!fresh) co_return Result<void>();
    auto on_message = [this](std::string_view message) { on_wake(message); };
    named_servers.at(connection)->subscribe(on_message);
    co_return Result<void>();
}

/// Another queue, and nobody would run the jobs in the one that it leaves.
Task<Result<void>> Reactor::State::may_move(const Program& program, Cancel& stop) {
    const std::shared_ptr<Pipeline> now = pipelines.find(program.config().name);
    if (!now || now->newest().config().shown != program.config().shown) co_return Result<void>();
    const std::string to = queue_of(program);
    const bool same = to == now->queue().name() && program.config().queue == now->config().queue &&
                      program.config().direct == now->config().direct;
    // What waits in memory goes back to its source.
    if (same || now->config().direct) co_return Result<void>();
    MUSHER_CO_TRY(const QueueStats stats, co_await now->queue().stats(stop));
    const std::uint64_t left = stats.waiting + stats.delayed + stats.running;
    if (left == 0) co_return Result<void>();
    co_return musher::fail(
        Errc::conflict,
        fmt::format("its {} jobs would stay behind in the queue {}", left, now->queue().name()),
        "it is taken over when they have ended; or: musher jobs pause, then musher jobs release");
}

struct Reactor::State::Probing {
    Probing(Loop& loop, std::shared_ptr<const Program> what)
        : program(std::move(what)), ended(loop.ready()) {}
    std::shared_ptr<const Program> program;
    std::vector<Problem> found;
    Cancel patience;
    Doorbell ended;
};

Task<void> Reactor::State::run_probe(std::shared_ptr<Probing> one) {
    one->found = co_await probe_source(around, *one->program, one->patience);
    probing.erase(one->program->config().shown);
    one->ended.ring();
}

/// A source that cannot work would end one that does. A mount that does not answer holds up this
/// edit alone: its probe comes back when it can.
Task<std::optional<Problem>> Reactor::State::probe(std::shared_ptr<const Program> program,
                                                   Cancel& stop) {
    const PipelineConfig& config = program->config();
    const auto before = programs.find(config.name);
    const bool same = before != programs.end() && same_source(before->second->config(), config);
    if (same) co_return std::nullopt;
    const Error silent(Errc::timeout, "its source cannot be tried: no answer for 5 s",
                       "is a mount or a server away?");
    if (!probing.insert(config.shown).second) {
        co_return fault_of(config, "silent_source", silent);
    }
    const auto one = std::make_shared<Probing>(loop, program);
    scope.spawn("probe", run_probe(one));
    Cancel enough(stop);
    const Deadline deadline(loop.timers(), enough, kProbe);
    const Result<void> ended = co_await one->ended.wait(enough);
    one->patience.request(Errc::timeout, "no answer");
    if (!ended) co_return fault_of(config, "silent_source", silent);
    for (Problem& problem : one->found) {
        if (problem.severity == Problem::Severity::error) co_return std::move(problem);
    }
    co_return std::nullopt;
}

/// What can be taken over is; the rest is named until a restart. Pipelines whose edits are refused
/// run on with what they name: it stays until they are mended.
void Reactor::State::take_settings(DaemonConfig next, bool some_refused) {
    DaemonConfig& now = configuration.daemon;
    const bool rewritten = now.text != next.text;
    std::set<std::string> left;
    if (next.state != now.state) left.insert("state");
    if (next.node != now.node) left.insert("node");
    if (next.timezone != now.timezone) left.insert("timezone");
    if (next.sentry_dsn != now.sentry_dsn || next.sentry_level != now.sentry_level) {
        left.insert("sentry");
    }
    if (next.queue.embedded != now.queue.embedded ||
        next.queue.fsync_always != now.queue.fsync_always ||
        next.queue.target != now.queue.target) {
        left.insert("queue");
    }
    for (const auto& [connection, options] : server_options) {
        const auto named = next.connections.find(connection);
        const bool same = named != next.connections.end() && named->second.options == options;
        if (!same) left.insert("connections." + connection);
    }
    if (some_refused) {
        next.connections.insert(now.connections.begin(), now.connections.end());
        for (const auto& [name, value] : now.vars.items()) next.vars.emplace(name, value);
        for (const auto& [name, value] : now.environment.items()) {
            next.environment.emplace(name, value);
        }
    }
    next.state = now.state;
    next.node = now.node;
    next.queue = now.queue;
    next.timezone = now.timezone;
    next.sentry_dsn = now.sentry_dsn;
    next.sentry_level = now.sentry_level;
    const DaemonConfig before = std::exchange(now, std::move(next));
    around.environment = now.environment;
    around.vars = now.vars;
    pool.keep(now.connections);
    for (const auto& pipeline : pipelines.all()) pipeline->limit(queue_options(pipeline->config()));
    if (left != unapplied && !left.empty()) {
        log::warning("config.restart_needed",
                     Json{{"settings", left}, {"hint", "they are taken over at the next start"}});
    }
    unapplied = std::move(left);
    if (rewritten) log::info("config.edited", Json{{"file", now.shown}});
    if (rewritten || std::exchange(reload_settings, false)) {
        show_stories();
        settings_changed(before);
    }
}

/// The pipeline that runs from a file; "" when none does.
std::string Reactor::State::pipeline_of(const std::string& file) const {
    for (const auto& [name, program] : programs) {
        if (program->config().shown == file) return name;
    }
    return "";
}

void Reactor::State::tell_edit(std::string_view what, const std::string& pipeline,
                               const std::string& file, const std::string& reason) {
    if (happenings.deaf()) return;
    Happening& told = happenings.add(Happening::Kind::edit, what, pipeline);
    told.name = file;
    told.reason = reason;
}

void Reactor::State::tell_refused(std::map<std::string, Problem> now) {
    for (const auto& [file, problem] : now) {
        const auto before = refused.find(file);
        if (before != refused.end() && problem_line(before->second) == problem_line(problem)) {
            continue;
        }
        log::error("config.refused",
                   Json{{"file", file}, {"reason", problem_line(problem)}, {"hint", problem.hint}});
        ++refusals;
        tell_edit("refused", pipeline_of(file), file, problem_line(problem));
    }
    for (const auto& [file, problem] : refused) {
        if (now.contains(file)) continue;
        log::info("config.mended", Json{{"file", file}});
        tell_edit("mended", pipeline_of(file), file, "");
    }
    refused = std::move(now);
}

/// A file that has never run: `status` shows it under the name that it would have.
Json Reactor::State::broken_row(const Problem& problem) const {
    const std::string file = problem.at.file ? *problem.at.file : "";
    const Json source{{"kind", ""}, {"ok", false}, {"detail", "it has never run"}};
    return pipeline_row(std::filesystem::path(file).stem(), "broken", source, QueueStats(),
                        problem_line(problem));
}

void Reactor::applied(const std::string& setting, const std::string& trouble) {
    if (trouble.empty()) {
        state_->failed.erase(setting);
    } else {
        state_->failed[setting] = trouble;
    }
}

void Reactor::reload() {
    state_->read_anew = true;
    state_->reload_settings = true;
    state_->edited.ring();
}

Task<Result<Json>> Reactor::rollback(std::string pipeline, int number) {
    State& state = *state_;
    MUSHER_CO_TRY(const std::shared_ptr<Pipeline> found, state.find(pipeline));
    const auto known = state.programs.find(pipeline);
    if (known == state.programs.end()) {
        co_return fail(Errc::not_found, "the file of pipeline " + pipeline + " is gone",
                       "put it back; its texts are in " + state.configuration.daemon.state +
                           "/revisions/" + pipeline);
    }
    const std::shared_ptr<const Program> running = known->second;
    const std::string file = running->config().file;
    auto put_back = [&state, &running, number]() -> Result<int> {
        return roll_back(state.revisions, running->config(), running->revision(), number);
    };
    MUSHER_CO_TRY(const int revision, co_await offload(state.loop, put_back));
    state.edited.ring();
    log::info("pipeline.rolled_back", Json{{"pipeline", pipeline}, {"revision", revision}});
    Json answer{{"pipeline", pipeline}, {"file", file}, {"revision", revision}};
    co_return answer;
}

}  // namespace musher
