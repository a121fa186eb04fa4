#include "pipelines/app/control_server.h"

#include <microhttpd.h>

#include <cstring>

namespace musher {

namespace {
constexpr std::size_t kBodyBytes = 1 << 20;
constexpr Duration kDeadline = std::chrono::seconds(30);
constexpr unsigned kIdleSeconds = 60;
constexpr std::size_t kPieceBytes = 1 << 14;
constexpr int kLastTurns = 16;
}  // namespace

/// One request, from its first header to its answer.
struct ControlServer::Pending {
    ControlServer* server = nullptr;
    MHD_Connection* connection = nullptr;
    ServerRequest request;
    ServerReply reply;
    bool begun = false;
    bool answered = false;
    bool suspended = false;
    bool too_large = false;
};

/// What libmicrohttpd calls, on the loop thread, from inside MHD_run.
struct ControlServer::Callbacks {
    static MHD_Result on_query(void* into, MHD_ValueKind, const char* key, const char* value) {
        (*static_cast<std::map<std::string, std::string>*>(into))[key] = value ? value : "";
        return MHD_YES;
    }

    static std::string header(MHD_Connection* connection, const char* name) {
        const char* value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
        return value ? value : "";
    }

    static MHD_Result on_access(void* self, MHD_Connection* connection, const char* url,
                                const char* method, const char*, const char* data,
                                std::size_t* size, void** state) {
        auto* server = static_cast<ControlServer*>(self);
        if (!*state) {
            auto* made = new Pending;
            made->server = server;
            made->connection = connection;
            made->request.method = method;
            made->request.path = url;
            made->request.local = server->local_;
            made->request.host = header(connection, "Host");
            made->request.authorization = header(connection, "Authorization");
            made->request.last_event_id = header(connection, "Last-Event-ID");
            MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, on_query,
                                      &made->request.query);
            *state = made;
            return MHD_YES;
        }
        auto* pending = static_cast<Pending*>(*state);
        if (*size > 0) {
            if (pending->request.body.size() + *size > kBodyBytes) {
                pending->too_large = true;
            } else {
                pending->request.body.append(data, *size);
            }
            *size = 0;
            return MHD_YES;
        }
        if (!pending->begun) server->admit(*pending);
        if (!pending->answered) {
            pending->suspended = true;
            MHD_suspend_connection(connection);
            return MHD_YES;
        }
        return answer(*pending);
    }

    static MHD_Response* whole(const Json& body) {
        std::string text = body.is_string() ? body.get<std::string>() : to_line(body) + "\n";
        return MHD_create_response_from_buffer(text.size(), text.data(), MHD_RESPMEM_MUST_COPY);
    }

    static ssize_t on_read(void* self, std::uint64_t, char* into, std::size_t most) {
        auto* pending = static_cast<Pending*>(self);
        if (pending->server->stop_.requested()) pending->reply.stream->end();
        const std::size_t size = pending->reply.stream->read(into, most);
        if (size > 0) return static_cast<ssize_t>(size);
        if (pending->reply.stream->ended()) return MHD_CONTENT_READER_END_OF_STREAM;
        pending->suspended = true;
        MHD_suspend_connection(pending->connection);
        return 0;
    }

    static MHD_Response* flowing(Pending& pending) {
        ControlServer* server = pending.server;
        server->streams_.insert(&pending);
        Pending* one = &pending;
        pending.reply.stream->on_more = [server, one] { server->resume(*one); };
        return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, kPieceBytes, &on_read, one,
                                                 nullptr);
    }

    static MHD_Result answer(Pending& pending) {
        MHD_Response* response =
            pending.reply.stream ? flowing(pending) : whole(pending.reply.body);
        const std::string type(pending.reply.type);
        MHD_add_response_header(response, "Content-Type", type.c_str());
        MHD_add_response_header(response, "Cache-Control", "no-store");
        if (!pending.reply.allow.empty()) {
            MHD_add_response_header(response, "Allow", pending.reply.allow.c_str());
        }
        const MHD_Result queued = MHD_queue_response(
            pending.connection, static_cast<unsigned>(pending.reply.status), response);
        MHD_destroy_response(response);
        return queued;
    }

    static void on_completed(void*, MHD_Connection*, void** state, MHD_RequestTerminationCode) {
        auto* pending = static_cast<Pending*>(*state);
        if (pending) pending->server->streams_.erase(pending);
        delete pending;
        *state = nullptr;
    }
};

ControlServer::ControlServer(Loop& loop, bool local, Respond respond)
    : loop_(loop),
      local_(local),
      respond_(std::move(respond)),
      alarm_(loop.timers()),
      scope_("http", loop.ready(), loop.clock(), &loop.root()) {}

ControlServer::~ControlServer() { MUSHER_CHECK(!daemon_); }

Result<std::unique_ptr<ControlServer>> ControlServer::start(Loop& loop, Fd listening, bool local,
                                                      Respond respond) {
    std::unique_ptr<ControlServer> server(new ControlServer(loop, local, std::move(respond)));
    server->daemon_ = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, nullptr, nullptr, &Callbacks::on_access,
        server.get(), MHD_OPTION_LISTEN_SOCKET, listening.get(), MHD_OPTION_NOTIFY_COMPLETED,
        &Callbacks::on_completed, nullptr, MHD_OPTION_CONNECTION_TIMEOUT, kIdleSeconds,
        MHD_OPTION_CONNECTION_LIMIT, 256u, MHD_OPTION_END);
    if (!server->daemon_) return fail(Errc::failed, "the HTTP server does not start");
    listening.release();  // MHD_stop_daemon closes it
    const MHD_DaemonInfo* info = MHD_get_daemon_info(server->daemon_, MHD_DAEMON_INFO_EPOLL_FD);
    Result<Poll> poll = Poll::open(loop, info->epoll_fd, "http.server");
    MUSHER_CHECK(poll.has_value());
    server->poll_ = std::make_unique<Poll>(std::move(*poll));
    ControlServer* raw = server.get();
    server->poll_->start(UV_READABLE, [raw](int, int) { raw->turn(); });
    return server;
}

void ControlServer::turn() {
    if (turning_ || !daemon_) return;
    turning_ = true;
    MHD_run(daemon_);
    turning_ = false;
    MHD_UNSIGNED_LONG_LONG wait_ms = 0;
    if (MHD_get_timeout(daemon_, &wait_ms) != MHD_YES) {
        alarm_.disarm();
        return;
    }
    alarm_.arm(milliseconds(wait_ms), [this] { turn(); });
}

void ControlServer::admit(Pending& pending) {
    pending.begun = true;
    if (pending.too_large) {
        pending.reply.status = 413;
        pending.reply.body = Json{{"error", to_json(Error(Errc::usage, "the body is over 1 MiB"))}};
        pending.answered = true;
        return;
    }
    if (stop_.requested()) {  // nobody may be suspended when libmicrohttpd stops
        pending.reply.status = 503;
        pending.reply.body = Json{{"error", to_json(Error(Errc::unavailable, "musher stops"))}};
        pending.answered = true;
        return;
    }
    scope_.spawn(pending.request.path, serve(pending));
}

Task<void> ControlServer::serve(Pending& pending) {
    Cancel limited(stop_);
    const Deadline deadline(loop_.timers(), limited, kDeadline);
    ServerRequest request = std::move(pending.request);
    pending.reply = co_await respond_(std::move(request), limited);
    pending.answered = true;
    // A suspended connection stays until it is resumed, so `pending` does too.
    resume(pending);
}

void ControlServer::resume(Pending& pending) {
    if (!std::exchange(pending.suspended, false)) return;
    MHD_resume_connection(pending.connection);
    // Its descriptor may stay silent: libmicrohttpd goes on only when it is run.
    alarm_.arm(milliseconds(0), [this] { turn(); });
}

Task<void> ControlServer::stop() {
    stop_.request();
    co_await scope_.join();
    for (Pending* one : streams_) {
        one->reply.stream->end();
        resume(*one);
    }
    turn();  // sends the last answers
    // A reader that does not take its last piece is left behind.
    for (int turns = 0; turns < kLastTurns && !streams_.empty(); ++turns) turn();
    alarm_.disarm();
    poll_.reset();
    MHD_stop_daemon(daemon_);
    daemon_ = nullptr;
}

}  // namespace musher
