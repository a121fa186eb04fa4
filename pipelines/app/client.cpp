#include "pipelines/app/client.h"

#include "reactor/base/text.h"
#include "reactor/drivers/http.h"

namespace musher {

namespace {
Task<void> exchange(Loop& loop, HttpRequest request, Result<HttpResponse>& response) {
    Http http(loop);
    Cancel never;
    response = co_await http.send(request, never);
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

Result<Json> ask(const std::string& state, const ApiCall& call) {
    const std::string url = "http://localhost" + std::string(kApiRoot) + encode(call);
    HttpRequest request(call.method, url);
    request.unix_socket = state + "/control.sock";
    request.response_limit = 64u << 20;
    if (!call.body.is_null()) {
        request.body = call.body.dump();
        request.headers.push_back("Content-Type: application/json");
    }
    RealClock clock;
    Loop loop(clock);
    Result<HttpResponse> response = tl::unexpected(Error());
    loop.run(exchange(loop, std::move(request), response));
    MUSHER_CHECK(loop.close() == 0);
    if (!response) {
        if (response.error().code != Errc::unavailable) return fail(response.error());
        return fail(Errc::unavailable, "no musher answers on " + state + "/control.sock",
                    "start it: musher run -c FILE");
    }
    MUSHER_TRY(Json answer, parse_json(response->body));
    if (!response->ok() && answer.contains("error")) return fail(error_from_json(answer["error"]));
    return answer;
}

}  // namespace musher
