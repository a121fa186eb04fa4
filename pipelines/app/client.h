// Client: what the verbs ask a running musher over its control socket.
#pragma once

#include <string>

#include "reactor/base/json.h"

namespace musher {

/// Blocking, on a loop of its own. `path` begins with "/api/v1/…" and is encoded already. An
/// error is the server's own, or `unavailable` when no musher runs on this state directory.
Result<Json> ask(const std::string& state, const std::string& method, const std::string& path,
                 const Json& body = nullptr);

}  // namespace musher
