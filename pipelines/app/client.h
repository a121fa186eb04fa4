// Client: what the verbs ask a running musher over its control socket.
#pragma once

#include <map>
#include <string>

#include "reactor/base/json.h"
#include "reactor/drivers/http.h"

namespace musher {

struct ApiCall {
    std::string method;
    std::string path;  // below /api/v1, not encoded: "/jobs/ID"
    std::map<std::string, std::string> query = {};
    Json body = nullptr;
};

inline constexpr std::string_view kApiRoot = "/api/v1";

/// On the control socket of the state directory.
HttpRequest api_request(const std::string& state, const ApiCall& call);
/// Nobody answers there: `unavailable`, with the remedy. Other errors stay as they are.
Error unreachable(const std::string& state, const Error& error);
/// For a loop that asks more than once. An error is the server's own, or unreachable()'s.
Task<Result<Json>> ask(Http& http, std::string state, ApiCall call, Cancel& cancel);

/// What somebody said who may have been a musher.
struct Heard {
    bool answered = false;  // also with an error
    Result<Json> answer;
};
/// Blocking, on a loop of its own. An error is the server's own, or unreachable()'s when no musher
/// answers on this state directory.
Heard ask(const std::string& state, const ApiCall& call);

}  // namespace musher
