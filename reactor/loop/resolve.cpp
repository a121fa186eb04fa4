#include "reactor/loop/resolve.h"

#include <netdb.h>
#include <sys/un.h>

#include <cstring>

namespace musher {

namespace {
std::vector<SocketAddress> copy_addresses(const addrinfo* list) {
    std::vector<SocketAddress> all;
    for (; list; list = list->ai_next) {
        if (list->ai_addrlen > sizeof(sockaddr_storage)) continue;
        SocketAddress& address = all.emplace_back();
        std::memcpy(&address.storage, list->ai_addr, list->ai_addrlen);
        address.size = list->ai_addrlen;
        char host[NI_MAXHOST];
        char port[NI_MAXSERV];
        if (getnameinfo(list->ai_addr, list->ai_addrlen, host, sizeof host, port, sizeof port,
                        NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
            continue;
        }
        const bool v6 = list->ai_family == AF_INET6;
        address.text = (v6 ? "[" : "") + std::string(host) + (v6 ? "]:" : ":") + port;
    }
    return all;
}

/// Lives until libuv is done with it, also when nobody waits any more: a lookup in progress
/// cannot be stopped.
struct Lookup {
    explicit Lookup(Loop& on) : loop(on), done(on.ready()) {}
    Loop& loop;
    uv_getaddrinfo_t request{};
    Waiters done;
    std::vector<SocketAddress> found;
    int status = UV_ECANCELED;
    bool ended = false;
    bool abandoned = false;
};

void on_found(uv_getaddrinfo_t* request, int status, addrinfo* list) {
    auto* lookup = static_cast<Lookup*>(request->data);
    const Watchdog::Call call(lookup->loop.watchdog(), "resolve");
    lookup->status = status;
    if (status == 0) lookup->found = copy_addresses(list);
    uv_freeaddrinfo(list);
    lookup->ended = true;
    lookup->done.wake_one();
    if (lookup->abandoned) delete lookup;
}

void let_go(Lookup* lookup) {
    if (lookup->ended) {
        delete lookup;
        return;
    }
    lookup->abandoned = true;
    uv_cancel(reinterpret_cast<uv_req_t*>(&lookup->request));
}

addrinfo stream_hints(int flags) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = flags | AI_NUMERICSERV;
    return hints;
}
}  // namespace

Result<SocketAddress> SocketAddress::unix_path(const std::string& path) {
    SocketAddress address;
    auto* native = reinterpret_cast<sockaddr_un*>(&address.storage);
    if (path.size() >= sizeof native->sun_path) {
        return fail(Errc::usage,
                    "the socket path " + path + " has " + std::to_string(path.size()) +
                        " bytes; the system allows 107",
                    "choose a shorter directory");
    }
    native->sun_family = AF_UNIX;
    std::memcpy(native->sun_path, path.c_str(), path.size() + 1);
    address.size = sizeof *native;
    address.text = path;
    return address;
}

Task<Result<std::vector<SocketAddress>>> resolve(Loop& loop, std::string host, int port,
                                                 Cancel& cancel) {
    if (cancel.requested()) co_return fail(cancel.error());
    const std::string service = std::to_string(port);
    const addrinfo literal = stream_hints(AI_NUMERICHOST);
    addrinfo* list = nullptr;
    if (getaddrinfo(host.c_str(), service.c_str(), &literal, &list) == 0) {
        std::vector<SocketAddress> found = copy_addresses(list);
        freeaddrinfo(list);
        co_return found;
    }
    const addrinfo hints = stream_hints(AI_ADDRCONFIG);
    auto* lookup = new Lookup(loop);
    lookup->request.data = lookup;
    const int started = uv_getaddrinfo(loop.uv(), &lookup->request, on_found, host.c_str(),
                                       service.c_str(), &hints);
    if (started != 0) {
        delete lookup;
        co_return fail(Errc::unavailable, "resolving " + host + ": " + uv_strerror(started));
    }
    const Result<void> waited = co_await lookup->done.wait(cancel);
    const int status = lookup->status;
    std::vector<SocketAddress> found = std::move(lookup->found);
    let_go(lookup);
    MUSHER_CO_DO(waited);
    if (status != 0 || found.empty()) {
        co_return fail(Errc::unavailable,
                       "resolving " + host + ": " + uv_strerror(status != 0 ? status : UV_ENOENT),
                       "check the name and the DNS of this machine");
    }
    co_return found;
}

}  // namespace musher
