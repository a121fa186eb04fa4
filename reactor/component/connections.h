// Named connections of musher.yml: `connections: NAME: { KIND: {…} }`.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "reactor/base/json.h"

namespace musher {

struct Connection {
    std::string kind;  // redis, postgres, s3, …
    Json options;      // decoded; holds secrets in the clear: never printed
    bool operator==(const Connection&) const = default;
};
using Connections = std::map<std::string, Connection, std::less<>>;

/// The options of the connection called `name`; `usage` unless there is one of that kind.
Result<const Json*> connection_options(const Connections& connections, std::string_view name,
                                       std::string_view kind);

}  // namespace musher
