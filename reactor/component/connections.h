// Named connections of musher.yml: `connections: NAME: { KIND: {…} }`.
#pragma once

#include <map>
#include <string>

#include "reactor/base/json.h"

namespace musher {

struct Connection {
    std::string kind;  // redis, postgres, s3, …
    Json options;      // decoded; holds secrets in the clear: never printed
};
using Connections = std::map<std::string, Connection, std::less<>>;

}  // namespace musher
