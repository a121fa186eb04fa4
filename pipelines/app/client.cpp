#include "pipelines/app/client.h"

#include "reactor/drivers/http.h"

namespace musher {

namespace {
Task<void> exchange(Loop& loop, HttpRequest request, Result<HttpResponse>& response) {
    Http http(loop);
    Cancel never;
    response = co_await http.send(request, never);
}
}  // namespace

Result<Json> ask(const std::string& state, const std::string& method, const std::string& path,
                 const Json& body) {
    HttpRequest request(method, "http://localhost" + path);
    request.unix_socket = state + "/control.sock";
    request.response_limit = 64u << 20;
    if (!body.is_null()) {
        request.body = body.dump();
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
