// The kinds that `connections:` of musher.yml knows, each with its option table.
#pragma once

#include <string_view>
#include <vector>

#include "reactor/component/connections.h"
#include "reactor/component/schema.h"

namespace musher {

struct ConnectionKind {
    std::string_view name;
    std::string_view summary;
    std::vector<Option> options;
    std::string_view scalar = "url";  // the option meant by a bare value
};
const std::vector<ConnectionKind>& connection_kinds();
const ConnectionKind* find_connection_kind(std::string_view name);

/// `map`: NAME → { KIND: { options } }. Faulty ones are left out, with their Problems.
Connections read_connections(const Value& map, std::vector<Problem>& problems);

/// Reports a redis connection that no driver could open (rediss://, no URL, …), placed at its url.
/// `options` decoded, `written` as in the file.
void check_redis(const Options& options, const Value& written, std::vector<Problem>& problems);

}  // namespace musher
