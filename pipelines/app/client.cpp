#include "pipelines/app/client.h"

#include "reactor/base/text.h"

namespace musher {

namespace {
Task<void> ask_once(Loop& loop, std::string state, ApiCall call, Result<Json>& answer) {
    Http http(loop);
    Cancel never;
    answer = co_await ask(http, std::move(state), std::move(call), never);
}

std::string encode(const ApiCall& call) {
    std::string url;
    std::size_t from = 0;
    for (std::size_t slash = 0; slash != std::string::npos; from = slash + 1) {
        slash = call.path.find('/', from);
        url += url_encode(std::string_view(call.path).substr(from, slash - from));
        if (slash != std::string::npos) url += '/';
    }
    char sign = '?';
    for (const auto& [name, value] : call.query) {
        url.append(1, sign).append(url_encode(name)).append("=").append(url_encode(value));
        sign = '&';
    }
    return url;
}
}  // namespace

HttpRequest api_request(const std::string& state, const ApiCall& call) {
    const std::string url = "http://localhost" + std::string(kApiRoot) + encode(call);
    HttpRequest request(call.method, url);
    request.unix_socket = state + "/control.sock";
    request.response_limit = 64u << 20;
    if (!call.body.is_null()) {
        request.body = call.body.dump();
        request.headers.push_back("Content-Type: application/json");
    }
    return request;
}

Error unreachable(const std::string& state, const Error& error) {
    if (error.code != Errc::unavailable) return error;
    return Error(Errc::unavailable, "no musher answers on " + state + "/control.sock",
                 "start it: musher run -c FILE");
}

Task<Result<Json>> ask(Http& http, std::string state, ApiCall call, Cancel& cancel) {
    const HttpRequest request = api_request(state, call);
    const Result<HttpResponse> response = co_await http.send(request, cancel);
    if (!response) co_return fail(unreachable(state, response.error()));
    MUSHER_CO_TRY(Json answer, parse_json(response->body));
    if (!response->ok() && answer.contains("error")) {
        co_return fail(error_from_json(answer["error"]));
    }
    co_return answer;
}

Result<Json> ask(const std::string& state, const ApiCall& call) {
    RealClock clock;
    Loop loop(clock);
    Result<Json> answer = tl::unexpected(Error());
    loop.run(ask_once(loop, state, call, answer));
    MUSHER_CHECK(loop.close() == 0);
    return answer;
}

}  // namespace musher
