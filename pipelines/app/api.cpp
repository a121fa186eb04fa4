// Who may ask what: paths, methods, Host and token.
#include "pipelines/app/api.h"

#include <fmt/format.h>
#include <strings.h>

namespace musher {

/// All that there is. `{name}` in a path stands for one word. A path has one method; HEAD asks what
/// GET asks.
struct Api::Route {
    std::string_view method;
    std::string_view path;
    Answer (Api::*answer)(const Call& call, Cancel& cancel);
    Reply (Api::*reply)(const Call& call, Cancel& cancel) = nullptr;  // where `answer` is null
};

namespace {

/// Takes as long for a first wrong byte as for a last one.
bool same(std::string_view a, std::string_view b) {
    unsigned differences = a.size() == b.size() ? 0 : 1;
    for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) {
        differences |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]);
    }
    return differences == 0;
}

bool same_letters(std::string_view a, std::string_view b) {
    return a.size() == b.size() && ::strncasecmp(a.data(), b.data(), a.size()) == 0;
}

std::string without_port(const std::string& host) {
    const std::size_t colon = host.rfind(':');
    const bool bare_six = host.find(':') != colon && host.back() != ']' && host.front() != '[';
    return colon == std::string::npos || bare_six ? host : host.substr(0, colon);
}

/// The token of "Bearer TOKEN", whose first word is written in any case.
std::string_view bearer_token(std::string_view authorization) {
    constexpr std::string_view kScheme = "bearer ";
    if (!same_letters(authorization.substr(0, kScheme.size()), kScheme)) return {};
    authorization.remove_prefix(kScheme.size());
    const std::size_t token = authorization.find_first_not_of(' ');
    return token == std::string_view::npos ? std::string_view() : authorization.substr(token);
}

/// What stands for the hole of `pattern`; "" where there is none. Nothing when it does not match.
std::optional<std::string> match(std::string_view pattern, std::string_view path) {
    const std::size_t hole = pattern.find('{');
    if (hole == std::string_view::npos) {
        return pattern == path ? std::optional<std::string>("") : std::nullopt;
    }
    const std::string_view front = pattern.substr(0, hole);
    const std::string_view back = pattern.substr(pattern.find('}') + 1);
    if (!path.starts_with(front) || !path.ends_with(back)) return std::nullopt;
    if (path.size() <= front.size() + back.size()) return std::nullopt;
    const std::string_view word =
        path.substr(front.size(), path.size() - front.size() - back.size());
    if (word.find('/') != std::string_view::npos) return std::nullopt;
    return std::string(word);
}

/// Whole words of the path only: /m is no prefix of /metrics.
void drop_prefix(const std::string& prefix, std::string& path) {
    if (!path.starts_with(prefix)) return;
    const std::string_view rest = std::string_view(path).substr(prefix.size());
    if (rest.empty() || rest.starts_with('/')) path.erase(0, prefix.size());
}

ServerReply refusal(int status, const Error& error) {
    ServerReply reply;
    reply.status = status;
    reply.body = Json{{"error", to_json(error)}};
    return reply;
}

ServerReply wrong_method(const ServerRequest& request, std::string_view method) {
    std::string allow(method);
    if (method == "GET") allow += ", HEAD";
    ServerReply reply = refusal(
        405, Error(Errc::usage,
                   fmt::format("{} takes {}, not {}", request.path, method, request.method)));
    reply.allow = std::move(allow);
    return reply;
}

}  // namespace

int status_of(Errc code) {
    switch (code) {
        case Errc::usage:
            return 400;
        case Errc::denied:
            return 403;
        case Errc::not_found:
            return 404;
        case Errc::conflict:
            return 409;
        case Errc::corrupt:
            return 422;
        case Errc::unavailable:
        case Errc::full:
            return 503;
        case Errc::timeout:
        case Errc::cancelled:
            return 504;
        default:
            return 500;
    }
}

const std::vector<Api::Route>& Api::routes() {
    static const std::vector<Route> kRoutes = {
        {"GET", "/health", &Api::health},
        {"GET", "/metrics", nullptr, &Api::metrics},
        {"GET", "/api/v1", &Api::index},
        {"GET", "/api/v1/events", nullptr, &Api::events},
        {"GET", "/api/v1/status", &Api::status},
        {"GET", "/api/v1/tasks", &Api::tasks},
        {"GET", "/api/v1/why", &Api::why},
        {"GET", "/api/v1/pipelines/{pipeline}", &Api::get_pipeline},
        {"POST", "/api/v1/pipelines/{pipeline}/pause", &Api::set_paused},
        {"POST", "/api/v1/pipelines/{pipeline}/resume", &Api::set_paused},
        {"POST", "/api/v1/pipelines/{pipeline}/rollback", &Api::rollback},
        {"POST", "/api/v1/pipelines/{pipeline}/release", &Api::release},
        {"POST", "/api/v1/pipelines/{pipeline}/purge", &Api::purge},
        {"POST", "/api/v1/pipelines/{pipeline}/emit", &Api::emit},
        {"GET", "/api/v1/jobs", &Api::get_jobs},
        {"GET", "/api/v1/jobs/{id}", &Api::get_job},
        {"POST", "/api/v1/jobs/{id}/cancel", &Api::change_job},
        {"POST", "/api/v1/jobs/{id}/replay", &Api::change_job},
        {"POST", "/api/v1/jobs/{id}/retry", &Api::change_job},
    };
    return kRoutes;
}

Result<void> Api::known_host(const ServerRequest& request) {
    // Where other hosts ask, by whatever name, the token keeps strangers out; see may_ask().
    if (request.local || request.open) return {};
    // A page of another site that resolves its name to us still sends that name.
    const std::string host = without_port(request.host);
    const bool known = same_letters(host, "localhost") || host == "127.0.0.1" || host == "[::1]" ||
                       same_letters(host, without_port(request.at));
    if (known) return {};
    return fail(Errc::denied, "the Host '" + host + "' is not ours");
}

/// Changes want the token; where other hosts can ask, all does but a load balancer's question.
Result<void> Api::may_ask(const Route& route, const ServerRequest& request) const {
    const bool changes = route.method != "GET";
    const bool free = !changes && (!request.open || route.answer == &Api::health);
    if (request.local || free) return {};
    const std::string& set = reactor_.daemon().http_token;
    const std::string& token = set.empty() ? request.old_token : set;
    if (token.empty()) {
        return fail(Errc::denied,
                    changes ? "changes over TCP need a token, and none is set"
                            : "other hosts can ask here, and no token is set",
                    "set http.token in musher.yml, or use the control socket");
    }
    if (!same(bearer_token(request.authorization), token)) {
        return fail(Errc::denied, "the token is missing or wrong",
                    "send Authorization: Bearer TOKEN");
    }
    return {};
}

Task<ServerReply> Api::handle(ServerRequest request, Cancel& cancel) {
    // No proxy stands before the control socket.
    if (!request.local) drop_prefix(reactor_.daemon().http_path_prefix, request.path);
    if (const auto ours = known_host(request); !ours) {
        co_return refusal(status_of(ours.error().code), ours.error());
    }
    co_return co_await respond(request, cancel);
}

Api::Reply Api::answer(const Route& route, const Call& call, Cancel& cancel) {
    const auto reply = route.reply;
    if (reply) co_return co_await (this->*reply)(call, cancel);
    const auto answer = route.answer;
    ServerReply whole;
    MUSHER_CO_TRY(whole.body, co_await (this->*answer)(call, cancel));
    if (answer == &Api::health && !flag_in(whole.body, "ok")) whole.status = 503;
    co_return whole;
}

Api::Answer Api::index(const Call&, Cancel&) {
    Json paths = Json::array();
    for (const Route& route : routes()) {
        paths.push_back(Json{{"method", route.method}, {"path", route.path}});
    }
    Json all{{"paths", std::move(paths)}};
    co_return all;
}

Task<ServerReply> Api::respond(const ServerRequest& request, Cancel& cancel) {
    for (const Route& route : routes()) {
        const std::optional<std::string> name = match(route.path, request.path);
        if (!name) continue;
        const bool head = request.method == "HEAD" && route.method == "GET";
        if (request.method != route.method && !head) co_return wrong_method(request, route.method);
        const Result<void> may = may_ask(route, request);
        if (!may) co_return refusal(status_of(may.error().code), may.error());
        const std::size_t word = route.path.rfind('/') + 1;
        const Call call{request, *name, std::string(route.path.substr(word))};
        Result<ServerReply> reply = co_await answer(route, call, cancel);
        if (!reply) co_return refusal(status_of(reply.error().code), reply.error());
        co_return std::move(*reply);
    }
    const Error none(Errc::not_found, "there is no " + request.path,
                     "GET /api/v1 lists the paths");
    co_return refusal(404, none);
}

}  // namespace musher
