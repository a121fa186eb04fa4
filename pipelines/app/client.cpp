#include "pipelines/app/client.h"

#include "reactor/base/text.h"

namespace musher {

namespace {
Task<Heard> hear(Http& http, const std::string& state, const ApiCall& call, Cancel& cancel) {
    const HttpRequest request = api_request(state, call);
    const Result<HttpResponse> response = co_await http.send(request, cancel);
    if (!response) co_return Heard{false, fail(unreachable(state, response.error()))};
    if (response->truncated) {
        const std::string most = format_size(request.response_limit);
        co_return Heard{true, fail(Errc::usage, "the answer is larger than " + most,
                                   "ask for less at once: --limit 10, say")};
    }
    Result<Json> answer = parse_own_json(response->body);
    if (answer && !response->ok() && answer->contains("error")) {
        answer = fail(error_from_json((*answer)["error"]));
    }
    co_return Heard{true, std::move(answer)};
}

Task<void> hear_once(Loop& loop, const std::string& state, const ApiCall& call, Heard& heard) {
    Http http(loop);
    Cancel never;
    heard = co_await hear(http, state, call, never);
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
    Heard heard = co_await hear(http, state, call, cancel);
    co_return std::move(heard.answer);
}

Heard ask(const std::string& state, const ApiCall& call) {
    RealClock clock;
    Loop loop(clock);
    Heard heard;
    loop.run(hear_once(loop, state, call, heard));
    MUSHER_CHECK(loop.close() == 0);
    return heard;
}

}  // namespace musher
