#include "pipelines/app/daemon.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <csignal>

#include "pipelines/app/api.h"
#include "pipelines/app/control_server.h"
#include "pipelines/app/heartbeat.h"
#include "pipelines/run/reactor.h"
#include "reactor/base/log.h"
#include "reactor/base/uuid.h"
#include "reactor/drivers/atomic_file.h"
#include "reactor/drivers/redis_target.h"
#include "reactor/loop/signals.h"

namespace musher {

namespace {

constexpr std::string_view kStateFormat = "1";

/// Writes a small file once; what is there already stays. Returns its first line.
Result<std::string> settle_file(const std::string& folder, const std::string& name,
                                const std::string& line) {
    if (::access((folder + "/" + name).c_str(), F_OK) != 0) {
        MUSHER_TRY(AtomicFile file, AtomicFile::create(folder, name, 0644, 0));
        MUSHER_DO(write_all(file.fd().get(), line + "\n"));
        const Result<std::string> committed = file.commit(Collision::fail);
        if (!committed && committed.error().code != Errc::conflict) return fail(committed.error());
    }
    MUSHER_TRY(std::string text, read_small_file(folder + "/" + name, 4096));
    return text.substr(0, text.find('\n'));
}

Result<void> prepare_state(const std::string& state) {
    if (::mkdir(state.c_str(), 0700) != 0 && errno != EEXIST) {
        Error error = errno_error(errno, "making the state directory " + state);
        error.hint = "create its parent folder, or change `state` in musher.yml";
        return fail(std::move(error));
    }
    MUSHER_TRY(const std::string format, settle_file(state, "VERSION", std::string(kStateFormat)));
    if (format != kStateFormat) {
        return fail(
            Errc::conflict,
            fmt::format("{} has format {}, this musher knows {}", state, format, kStateFormat),
            "run the musher that wrote it, or choose another `state`");
    }
    const std::string node = new_uuid7(RealClock().wall_ms());
    const Result<std::string> settled = settle_file(state, "node", node);
    if (!settled) return fail(settled.error());
    return {};
}

void raise_file_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

// Beyond the grace of running jobs and the last words to the queue; under systemd's 90 s.
constexpr Duration kLongestStop = std::chrono::seconds(50);

/// A pool thread that waits for a dead mount cannot be ended, and a clean exit waits for it. What
/// is left undone is found at the next start, as after kill -9.
[[noreturn]] void give_up_stopping() {
    log::error("musher.stuck", Json{{"reason", "a disk or mount does not answer"}});
    ::_exit(info(Errc::timeout).exit_code);
}

using Servers = std::vector<std::unique_ptr<ControlServer>>;

Result<void> open_servers(Loop& loop, Api& api, const DaemonConfig& config, Servers& servers) {
    const ControlServer::Respond respond = [&api](ServerRequest request, Cancel& cancel) {
        return api.handle(std::move(request), cancel);
    };
    MUSHER_TRY(Fd local, listen_unix(config.state + "/control.sock"));
    MUSHER_TRY(auto server, ControlServer::start(loop, std::move(local), true, respond));
    servers.push_back(std::move(server));
    if (config.http_listen.empty()) return {};
    MUSHER_TRY(const HostPort where, HostPort::parse(config.http_listen, 8470));
    MUSHER_TRY(Fd remote, listen_tcp(where.host, where.port));
    MUSHER_TRY(auto open, ControlServer::start(loop, std::move(remote), false, respond));
    servers.push_back(std::move(open));
    return {};
}

Task<void> stop_servers(Servers& servers) {
    for (const auto& server : servers) co_await server->stop();
}

Task<void> serve(Loop& loop, Configuration configuration, Error& error) {
    Cancel stop;
    Timers::Alarm last_word(loop.timers());
    const Signals signals(loop, {SIGTERM, SIGINT}, [&](int number) {
        if (!stop.requested()) log::info("musher.stopping", Json{{"signal", number}});
        if (!last_word.armed()) last_word.arm(kLongestStop, give_up_stopping);
        sd_notify(0, "STOPPING=1");
        stop.request();
    });
    const Heartbeat heartbeat(loop);
    Reactor reactor(loop, std::move(configuration));
    Api api(reactor);
    Servers servers;
    Result<void> opened;
    auto ready = [&] {
        opened = open_servers(loop, api, reactor.daemon(), servers);
        if (!opened) {
            stop.request();
            return;
        }
        log::info("musher.ready", Json{{"version", MUSHER_VERSION},
                                       {"pipelines", reactor.pipelines().size()},
                                       {"control", reactor.daemon().state + "/control.sock"},
                                       {"http", reactor.daemon().http_listen}});
        sd_notify(0, "READY=1");
    };
    auto leaving = [&servers] { return stop_servers(servers); };
    const Result<void> ended = co_await reactor.run(stop, ready, leaving);
    if (!opened) {
        error = opened.error();
    } else if (!ended) {
        error = ended.error();
    } else {
        error = Error(Errc::cancelled, "");
    }
}

}  // namespace

Result<void> run_daemon(Configuration configuration) {
    const DaemonConfig& config = configuration.daemon;
    MUSHER_DO(prepare_state(config.state));
    MUSHER_TRY(const log::Level level, log::parse_level(config.log_level));
    MUSHER_DO(log::open(config.log_to, level));
    raise_file_limit();
    RealClock clock;
    Loop loop(clock);
    Error error;
    loop.run(serve(loop, std::move(configuration), error));
    const int closed = loop.close();
    if (error.code != Errc::cancelled) return fail(std::move(error));
    if (closed != 0) return fail(Errc::internal, "the loop did not close cleanly");
    log::info("musher.stopped");
    return {};
}

}  // namespace musher
