#include "reactor/drivers/redis_link.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cerrno>

namespace musher {

namespace {
constexpr std::size_t kReadBytes = 64 << 10;
constexpr int kReadsPerTurn = 16;  // a long answer does not hold the loop
constexpr const char* kConnecting = "connecting to redis at ";
constexpr const char* kTalking = "talking to redis at ";

/// A missing or refusing server is one thing to the caller: it cannot be reached now.
Error socket_failure(int number, const char* doing, const std::string& server) {
    Error error = errno_error(number, doing + server);
    if (error.code != Errc::denied) error.code = Errc::unavailable;
    return error;
}

int socket_error(int fd) {
    int number = 0;
    socklen_t size = sizeof number;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &size) != 0) return errno;
    return number;
}

void set_option(int fd, int level, int name, int value) {
    // Best effort: a unix socket has none of them.
    setsockopt(fd, level, name, &value, sizeof value);
}

void tune_tcp(int fd) {
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 15);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 5);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
}
}  // namespace

RedisCall::RedisCall(Loop& loop, const std::vector<std::string>& argv)
    : verb(argv.front()),
      wire(encode_command(argv)),
      issued(loop.clock().now()),
      done(loop.ready()) {}

void RedisCall::finish(Result<RedisReply> with) {
    if (answer) return;
    answer.emplace(std::move(with));
    done.wake_one();
}

RedisLink::RedisLink(Loop& loop, Fd fd, Poll poll, std::string server)
    : loop_(loop),
      fd_(std::move(fd)),
      poll_(std::move(poll)),
      server_(std::move(server)),
      last_progress_(loop.clock().now()),
      ended_(loop.ready()) {
    MUSHER_CHECK(uv_prepare_init(loop.uv(), prepare_.get()) == 0);
    prepare_.opened();
    prepare_->data = this;
    watch_socket();
}

RedisLink::~RedisLink() { drop(Error(Errc::unavailable, "the connection was closed")); }

Task<Result<std::unique_ptr<RedisLink>>> RedisLink::connect(Loop& loop, SocketAddress to,
                                                            Cancel& cancel) {
    if (cancel.requested()) co_return fail(cancel.error());
    Fd fd(::socket(to.get()->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) co_return fail(socket_failure(errno, kConnecting, to.text));
    tune_tcp(fd.get());
    int number = ::connect(fd.get(), to.get(), to.size) == 0 ? 0 : errno;
    if (number != 0 && number != EINPROGRESS)
        co_return fail(socket_failure(number, kConnecting, to.text));
    MUSHER_CO_TRY(Poll poll, Poll::open(loop, fd.get(), "redis"));
    if (number == EINPROGRESS) {
        Waiters writable(loop.ready());
        // A refused connection arrives here with a status of UV_EBADF: ask the socket why.
        poll.start(UV_WRITABLE, [&](int, int) {
            poll.stop();
            writable.wake_one();
        });
        MUSHER_CO_DO(co_await writable.wait(cancel));
        number = socket_error(fd.get());
        if (number != 0) co_return fail(socket_failure(number, kConnecting, to.text));
    }
    std::unique_ptr<RedisLink> link(
        new RedisLink(loop, std::move(fd), std::move(poll), std::move(to.text)));
    co_return link;
}

pid_t RedisLink::peer_pid() const {
    ucred peer{};
    socklen_t size = sizeof peer;
    if (getsockopt(fd_.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return 0;
    return peer.pid;
}

void RedisLink::watch_socket() {
    const int events = blocked_ ? UV_READABLE | UV_WRITABLE : UV_READABLE;
    poll_.start(events, [this](int status, int got) { on_poll(status, got); });
}

void RedisLink::on_poll(int status, int events) {
    if (broken_) return;
    if (status < 0) {
        const int number = socket_error(fd_.get());
        drop(socket_failure(number != 0 ? number : ECONNRESET, kTalking, server_));
        return;
    }
    if (events & UV_WRITABLE) flush();
    if (!broken_ && (events & UV_READABLE)) read();
}

void RedisLink::send(std::shared_ptr<RedisCall> call) {
    if (broken_) {
        call->finish(fail(why_));
        return;
    }
    if (in_flight_.empty()) last_progress_ = loop_.clock().now();
    out_ += call->wire;
    std::string().swap(call->wire);
    in_flight_.push_back(std::move(call));
    schedule_flush();
}

void RedisLink::post(const std::vector<std::string>& argv) {
    if (broken_) return;
    out_ += encode_command(argv);
    schedule_flush();
}

Task<Result<RedisReply>> RedisLink::ask(std::vector<std::string> argv, Cancel& cancel) {
    if (cancel.requested()) co_return fail(cancel.error());
    const auto call = std::make_shared<RedisCall>(loop_, argv);
    send(call);
    if (!call->answer) {
        const Result<void> waited = co_await call->done.wait(cancel);
        if (!call->answer) {
            call->abandoned = true;
            MUSHER_CO_DO(waited);
        }
    }
    MUSHER_CO_TRY(RedisReply reply, std::move(*call->answer));
    if (reply.kind == RedisReply::Kind::error) co_return fail(redis_error(reply.text));
    co_return reply;
}

void RedisLink::schedule_flush() {
    if (blocked_) return;
    uv_prepare_start(prepare_.get(), [](uv_prepare_t* prepare) {
        auto* self = static_cast<RedisLink*>(prepare->data);
        uv_prepare_stop(prepare);
        const Watchdog::Call call(self->loop_.watchdog(), "redis");
        self->flush();
    });
}

void RedisLink::flush() {
    while (sent_ < out_.size()) {
        const ssize_t wrote =
            ::send(fd_.get(), out_.data() + sent_, out_.size() - sent_, MSG_NOSIGNAL);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote < 0 && errno == EAGAIN) break;
        if (wrote < 0) {
            drop(socket_failure(errno, kTalking, server_));
            return;
        }
        sent_ += static_cast<std::size_t>(wrote);
    }
    const bool blocked = sent_ < out_.size();
    if (!blocked) {
        out_.clear();
        sent_ = 0;
    }
    if (blocked == blocked_) return;
    blocked_ = blocked;
    watch_socket();
}

void RedisLink::read() {
    char bytes[kReadBytes];
    for (int round = 0; round < kReadsPerTurn && !broken_; ++round) {
        const ssize_t got = ::recv(fd_.get(), bytes, sizeof bytes, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && errno == EAGAIN) return;
        if (got <= 0) {
            drop(got == 0 ? Error(Errc::unavailable, "redis at " + server_ + " hung up")
                          : socket_failure(errno, kTalking, server_));
            return;
        }
        last_progress_ = loop_.clock().now();
        decoder_.feed(std::string_view(bytes, static_cast<std::size_t>(got)));
        while (!broken_) {
            Result<std::optional<RedisReply>> reply = decoder_.next();
            if (!reply) {
                drop(std::move(reply).error().within("reading from " + server_));
                return;
            }
            if (!*reply) break;
            take(std::move(**reply));
        }
        if (static_cast<std::size_t>(got) < sizeof bytes) return;
    }
}

void RedisLink::take(RedisReply reply) {
    if (hear_) {
        hear_(reply);
        return;
    }
    const bool is_error = reply.kind == RedisReply::Kind::error;
    if (in_flight_.empty()) {
        // Said unasked: "-ERR max number of clients reached", then the server hangs up.
        drop(is_error ? redis_error(reply.text)
                      : Error(Errc::unavailable, "redis at " + server_ + " spoke unasked"));
        return;
    }
    const bool ends = is_error && redis_error_ends_connection(reply.text);
    const std::string line = ends ? reply.text : std::string();
    const std::shared_ptr<RedisCall> call = std::move(in_flight_.front());
    in_flight_.pop_front();
    call->finish(std::move(reply));
    if (ends) drop(redis_error(line));
}

void RedisLink::drop(Error why) {
    if (broken_) return;
    broken_ = true;
    why.code = why.code == Errc::denied ? Errc::denied : Errc::unavailable;
    why_ = std::move(why);
    poll_.stop();
    prepare_.close();
    for (const std::shared_ptr<RedisCall>& call : in_flight_) call->finish(fail(why_));
    in_flight_.clear();
    ended_.wake_all();
}

Task<Result<void>> RedisLink::ended(Cancel& cancel) {
    if (broken_) co_return Result<void>();
    co_return co_await ended_.wait(cancel);
}

}  // namespace musher
