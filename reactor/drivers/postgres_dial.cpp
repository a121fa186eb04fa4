// PostgresLink::dial: names, addresses, TLS, sign-in.
#include <postgresql/libpq-fe.h>

#include "reactor/drivers/postgres_error.h"
#include "reactor/drivers/postgres_link.h"
#include "reactor/loop/offload.h"
#include "reactor/loop/resolve.h"

namespace musher {

namespace {
using Link = std::unique_ptr<PostgresLink>;
struct Finish {
    void operator()(PGconn* conn) const { PQfinish(conn); }
};
using Connection = std::unique_ptr<PGconn, Finish>;
using Settings = std::map<std::string, std::string>;

/// One address of one server, with all that libpq has to know.
struct Attempt {
    Attempt(const PostgresTarget& target, const PostgresServer& server)
        : settings(target.settings), shown(server.text()) {
        if (!server.host.empty()) settings["host"] = server.host;
        if (!server.address.empty()) settings["hostaddr"] = server.address;
        if (!server.port.empty()) settings["port"] = server.port;
    }
    Settings settings;
    std::string shown;
};

Connection begin(const Settings& settings) {
    std::vector<const char*> keys;
    std::vector<const char*> values;
    for (const auto& [key, value] : settings) {
        keys.push_back(key.c_str());
        values.push_back(value.c_str());
    }
    keys.push_back(nullptr);
    values.push_back(nullptr);
    Connection conn(PQconnectStartParams(keys.data(), values.data(), 0));
    MUSHER_CHECK(conn != nullptr);
    PQsetErrorVerbosity(conn.get(), PQERRORS_VERBOSE);  // with the SQLSTATE
    // Its own one writes to stderr.
    PQsetNoticeReceiver(conn.get(), [](void*, const PGresult*) {}, nullptr);
    return conn;
}

/// Until libpq has something to do; libpq itself finds out whether that is a failure.
Task<Result<void>> socket_ready(Loop& loop, PGconn* conn, PostgresPollingStatusType wants,
                                Cancel& cancel) {
    // It changes from step to step, and the handle goes before libpq may close it.
    MUSHER_CO_TRY(Poll poll, Poll::open(loop, PQsocket(conn), "postgres connect"));
    Waiters ready(loop.ready());
    const int events = wants == PGRES_POLLING_READING ? UV_READABLE : UV_WRITABLE;
    poll.start(events, [&](int, int) {
        poll.stop();
        ready.wake_one();
    });
    co_return co_await ready.wait(cancel);
}

/// Each step runs on the pool: it never waits for the network, but reads files, makes TLS contexts
/// and hashes the password some thousand times.
Task<Result<Link>> connect_one(Loop& loop, const Attempt& attempt, Cancel& cancel) {
    Connection conn;
    auto start = [&] {
        conn = begin(attempt.settings);
        return PQstatus(conn.get()) != CONNECTION_BAD;
    };
    if (!co_await offload(loop, start)) {
        co_return fail(postgres_connect_error(conn.get(), attempt.shown));
    }
    auto step = [&] { return PQconnectPoll(conn.get()); };
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    while (next != PGRES_POLLING_OK) {
        if (next == PGRES_POLLING_FAILED) {
            co_return fail(postgres_connect_error(conn.get(), attempt.shown));
        }
        MUSHER_CO_DO(co_await socket_ready(loop, conn.get(), next, cancel));
        next = co_await offload(loop, step);
    }
    PQsetnonblocking(conn.get(), 1);
    auto link = std::make_unique<PostgresLink>(loop, conn.release(), attempt.shown);
    if (link->broken()) co_return fail(link->why());
    co_return link;
}

bool needs_lookup(const PostgresServer& server) {
    const bool socket = server.host.starts_with('/') || server.host.starts_with('@');
    return !server.host.empty() && !socket && server.address.empty();
}

/// The address as libpq wants it: without the port.
std::string address_of(const SocketAddress& found) {
    const std::string_view text = found.text;
    const std::size_t colon = text.rfind(':');
    if (text.starts_with('[')) return std::string(text.substr(1, colon - 2));
    return std::string(text.substr(0, colon));
}

/// Of several servers each one's answer is told; the last decides what kind of failure it is.
Error after(const Error& before, Error answer) {
    const bool again = before.message.find(answer.message) != std::string::npos;
    if (again) answer.message = before.message;
    if (!again && !before.message.empty()) answer.message.insert(0, before.message + "; ");
    return answer;
}

/// Every address of every server; what cannot be looked up is left out and told by `last`.
Task<std::vector<Attempt>> look_up(Loop& loop, const PostgresTarget& target, Error& last,
                                   Cancel& cancel) {
    std::vector<Attempt> attempts;
    for (const PostgresServer& server : target.servers) {
        if (!needs_lookup(server)) {
            attempts.emplace_back(target, server);
            continue;
        }
        const Result<std::vector<SocketAddress>> found =
            co_await resolve(loop, server.host, 0, cancel);
        if (!found) last = after(last, found.error());
        if (!found) continue;
        for (const SocketAddress& address : *found) {
            PostgresServer one = server;
            one.address = address_of(address);
            attempts.emplace_back(target, one);
        }
    }
    co_return attempts;
}

Task<Result<Link>> try_each(Loop& loop, const PostgresTarget& target, Cancel& cancel) {
    Error last;
    std::vector<Attempt> attempts = co_await look_up(loop, target, last, cancel);
    // libpq's own list would do, but has no time limit for each of its servers.
    std::vector<std::string> passes(1, target.standby);
    if (target.standby == "prefer-standby") passes = {"standby", "any"};
    const std::size_t tries = std::max<std::size_t>(1, attempts.size() * passes.size());
    const Duration share = target.dial / static_cast<Duration::rep>(tries);
    for (const std::string& pass : passes) {
        for (Attempt& attempt : attempts) {
            if (!pass.empty()) attempt.settings["target_session_attrs"] = pass;
            Cancel mine(cancel);
            const Deadline limit(loop.timers(), mine, share);
            Result<Link> link = co_await connect_one(loop, attempt, mine);
            if (link) co_return link;
            Error answer = std::move(link).error();
            if (cancel.requested()) co_return fail(cancel.error());
            if (answer.code == Errc::timeout) {
                answer =
                    Error(Errc::unavailable, "connecting to postgres at " + attempt.shown +
                                                 " took longer than " + format_duration(share));
            }
            if (answer.code == Errc::denied) co_return fail(std::move(answer));
            last = after(last, std::move(answer));
        }
    }
    co_return fail(std::move(last));
}
}  // namespace

Task<Result<Link>> PostgresLink::dial(Loop& loop, const PostgresTarget& target, Cancel& cancel) {
    if (cancel.requested()) co_return fail(cancel.error());
    Cancel mine(cancel);
    const Deadline limit(loop.timers(), mine, target.dial);
    Result<Link> link = co_await try_each(loop, target, mine);
    if (!link && link.error().code == Errc::timeout && !cancel.requested()) {
        co_return fail(Errc::unavailable, "connecting to " + target.name() + " took longer than " +
                                              format_duration(target.dial));
    }
    co_return link;
}

}  // namespace musher
