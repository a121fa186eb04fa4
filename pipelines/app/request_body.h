// Bodies of the API's POST requests, checked member by member.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "reactor/base/json.h"

namespace musher {

/// `usage` for a member or parameter that nobody knows: most likely a known one, misspelt.
Result<void> check_known(std::string_view name, std::initializer_list<std::string_view> known);

/// `body` as an object without other members, {} for no body at all. `corrupt` when it is not
/// JSON.
Result<Json> read_body(const std::string& body, std::initializer_list<std::string_view> known);

/// …/emit: see Reactor::emit().
struct EmitRequest {
    std::string file;
    Json facts = Json::object();
    bool dry_run = false;
};
/// `usage` naming the member of another type.
Result<EmitRequest> read_emit(const std::string& body);
/// …/rollback: the revision's number, 0 for none.
Result<int> read_rollback(const std::string& body);
/// …/purge: the state's name, `done` by default.
Result<std::string> read_purge(const std::string& body);

}  // namespace musher
