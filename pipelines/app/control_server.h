// ControlServer: libmicrohttpd under the loop; requests are answered by coroutines. Its only user.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "reactor/base/fd.h"
#include "reactor/base/json.h"
#include "reactor/loop/loop.h"
#include "reactor/loop/poll.h"

struct MHD_Daemon;
struct MHD_Connection;

namespace musher {

struct ServerRequest {
    std::string method;
    std::string path;
    std::map<std::string, std::string> query;
    std::string body;
    bool local = false;     // over the control socket: whoever may open it may do anything
    std::string at;         // host:port where it came in, unless local
    bool open = false;      // other hosts can reach that
    std::string old_token;  // counts there while musher.yml has none
    std::string host;       // Host header
    std::string authorization;
    std::string last_event_id;
};

/// The body of an answer that goes on for as long as somebody reads. Asked for the next piece when
/// the reader has taken the last one: who reads slowly makes nothing pile up. Loop thread only.
class ReplyStream {
  public:
    virtual ~ReplyStream() = default;
    /// Puts up to `most` bytes into `into`. 0: the end, or nothing just now; then on_more() is
    /// called when there is something.
    virtual std::size_t read(char* into, std::size_t most) = 0;
    virtual bool ended() const = 0;
    /// The server stops: what read() gives from now on comes to an end.
    virtual void end() = 0;

    std::function<void()> on_more;  // the server's; to be called from outside read() and end()
};

struct ServerReply {
    int status = 200;
    Json body = Json::object();  // a string is sent as it is
    std::string allow = {};      // methods, with status 405
    std::string_view type = "application/json";
    std::shared_ptr<ReplyStream> stream = {};  // instead of `body`
};

/// One listening socket. Loop thread only.
class ControlServer {
  public:
    using Respond = std::function<Task<ServerReply>(ServerRequest request, Cancel& cancel)>;

    /// `listening` is bound and listens already; it is closed with the server.
    static Result<std::unique_ptr<ControlServer>> start(Loop& loop, Fd listening, bool local,
                                                     Respond respond);
    ~ControlServer();  // after stop()
    /// Cancels what runs, answers it, closes everything.
    Task<void> stop();

  private:
    struct Pending;
    struct Callbacks;
    ControlServer(Loop& loop, bool local, Respond respond);
    void turn();
    void admit(Pending& pending);
    void resume(Pending& pending);
    Task<void> serve(Pending& pending);

    Loop& loop_;
    bool local_;
    Respond respond_;
    MHD_Daemon* daemon_ = nullptr;
    std::unique_ptr<Poll> poll_;
    Timers::Alarm alarm_;
    Cancel stop_;
    Scope scope_;
    bool turning_ = false;
    std::set<Pending*> streams_;  // answers that go on
};

/// A listening unix socket with mode 0660; a dead process' socket is replaced, a living one is
/// `conflict`. `usage` when the path is too long for the system.
Result<Fd> listen_unix(const std::string& path);
/// host:port on TCP; `conflict` naming the address when it is taken.
Result<Fd> listen_tcp(const std::string& host, int port);

}  // namespace musher
