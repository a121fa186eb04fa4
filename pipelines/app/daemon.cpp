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
#include "pipelines/app/sentry.h"
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

/// http.listen, and whether other hosts can reach it.
struct Address {
    std::string text;
    bool open = false;
    bool operator==(const Address&) const = default;
};

/// The control socket, and the same API at http.listen where that is set.
class Servers {
  public:
    Servers(Loop& loop, Api& api) : loop_(loop), api_(api) {}

    Result<void> open(const DaemonConfig& config) {
        MUSHER_TRY(Fd local, listen_unix(config.state + "/control.sock"));
        MUSHER_TRY(local_, start(std::move(local), true, {}));
        return listen(Address{config.http_listen, config.http_open});
    }
    /// Listens at `to` alone, one move after the other. Where it stays, what guards it stays too:
    /// `old_token`, that of before the edit, counts until a move succeeds.
    Task<void> follow(Address to, std::string old_token) {
        if (!old_token.empty()) old_token_ = std::move(old_token);
        wanted_ = std::move(to);
        if (std::exchange(moving_, true)) co_return;
        do {
            to = wanted_;
            co_await move(to);
        } while (to != wanted_);
        moving_ = false;
        if (trouble_.empty()) old_token_.clear();
    }
    /// Why it does not listen where it was told to the last time; empty: it does.
    const std::string& trouble() const { return trouble_; }
    Task<void> stop() {
        if (local_) co_await local_->stop();
        if (remote_) co_await remote_->stop();
    }

  private:
    /// On error it listens where it did, if it still can.
    Task<void> move(Address to) {
        trouble_.clear();
        if (to == listens_) co_return;
        std::unique_ptr<ControlServer> old = std::move(remote_);
        Result<void> moved = listen(to);
        if (!moved && moved.error().code == Errc::conflict && old) {
            // Maybe it is our own socket: another address with the same port.
            co_await old->stop();
            old.reset();
            moved = listen(to);
            if (!moved && !listen(Address(listens_))) listens_ = Address();
        }
        if (!moved) {
            trouble_ = moved.error().text();
            if (old) remote_ = std::move(old);
            log::error("http.not_moved", Json{{"to", to.text},
                                              {"reason", moved.error().text()},
                                              {"hint", moved.error().hint}});
            co_return;
        }
        log::info("http.moved", Json{{"to", to.text}});
        if (old) co_await old->stop();
    }
    Result<std::unique_ptr<ControlServer>> start(Fd listening, bool local, const Address& at) {
        // musher.yml may name another address by now.
        return ControlServer::start(loop_, std::move(listening), local,
                                    [this, at](ServerRequest request, Cancel& cancel) {
                                        request.at = at.text;
                                        request.open = at.open;
                                        request.old_token = old_token_;
                                        return api_.handle(std::move(request), cancel);
                                    });
    }
    Result<void> listen(const Address& at) {
        if (!at.text.empty()) {
            MUSHER_TRY(const HostPort where, HostPort::parse(at.text, 8470));
            MUSHER_TRY(Fd remote, listen_tcp(where.host, where.port));
            MUSHER_TRY(remote_, start(std::move(remote), false, at));
        }
        listens_ = at;
        return {};
    }

    Loop& loop_;
    Api& api_;
    std::unique_ptr<ControlServer> local_, remote_;
    Address listens_;
    Address wanted_;
    std::string old_token_;
    std::string trouble_;
    bool moving_ = false;
};

/// The log of an edited musher.yml, or its file anew after a rotation; why not.
std::string reopen_log(const DaemonConfig& config) {
    const Result<log::Level> level = log::parse_level(config.log_level);
    if (!level) return level.error().text();
    const Result<void> opened = log::open(config.log_to, *level);
    if (opened) return "";
    log::error("log.not_opened", Json{{"to", config.log_to}, {"reason", opened.error().text()}});
    return opened.error().text();
}

Task<void> take_settings(Reactor& reactor, Servers& servers, std::string old_token) {
    reactor.applied("log", reopen_log(reactor.daemon()));
    Address to{reactor.daemon().http_listen, reactor.daemon().http_open};
    co_await servers.follow(std::move(to), std::move(old_token));
    reactor.applied("http.listen", servers.trouble());
}

Task<void> leave(Scope& moves, Servers& servers) {
    co_await moves.join();
    co_await servers.stop();
}

/// Null without a DSN; a faulty one was refused with the configuration.
std::unique_ptr<Sentry> open_sentry(Loop& loop, const DaemonConfig& config) {
    const Result<SentryDsn> dsn = SentryDsn::parse(config.sentry_dsn);
    if (!dsn) return nullptr;
    return std::make_unique<Sentry>(loop, *dsn, config.sentry_level, config.node);
}

Task<void> serve(Loop& loop, Configuration configuration, Error& error) {
    Cancel stop;
    Timers::Alarm last_word(loop.timers());
    const std::unique_ptr<Sentry> sentry = open_sentry(loop, configuration.daemon);
    Reactor reactor(loop, std::move(configuration));
    const Signals signals(loop, {SIGTERM, SIGINT, SIGHUP}, [&](int number) {
        if (number == SIGHUP) return reactor.reload();
        if (!stop.requested()) log::info("musher.stopping", Json{{"signal", number}});
        if (!last_word.armed()) last_word.arm(kLongestStop, give_up_stopping);
        sd_notify(0, "STOPPING=1");
        stop.request();
    });
    const Heartbeat heartbeat(loop);
    Api api(loop, reactor);
    Servers servers(loop, api);
    Scope moves("http", loop.ready(), loop.clock(), &loop.root());
    Result<void> opened;
    Reactor::Hooks hooks;
    hooks.ready = [&] {
        opened = servers.open(reactor.daemon());
        if (!opened) {
            stop.request();
            return;
        }
        log::info("musher.ready", Json{{"version", MUSHER_VERSION},
                                       {"pipelines", reactor.pipelines()},
                                       {"control", reactor.daemon().state + "/control.sock"},
                                       {"http", reactor.daemon().http_listen}});
        sd_notify(0, "READY=1");
    };
    hooks.settings = [&](const DaemonConfig& before) {
        moves.spawn("settings", take_settings(reactor, servers, before.http_token));
    };
    hooks.leaving = [&] { return leave(moves, servers); };
    const Result<void> ended = co_await reactor.run(stop, std::move(hooks));
    if (sentry) co_await sentry->close();
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
