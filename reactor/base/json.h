// The dynamic type of facts, outputs and everything written as JSON.
#pragma once

#include <nlohmann/json.hpp>

#include "reactor/base/error.h"
#include "reactor/base/limits.h"

namespace musher {

using Json = nlohmann::json;

/// Parses one document; `corrupt` with the library's position otherwise, and for one nested over
/// limits::kJsonDepth.
Result<Json> parse_json(std::string_view text, int depth = limits::kJsonDepth);
/// What musher itself wrote around JSON from outside, which may be that deep already.
Result<Json> parse_own_json(std::string_view text);
/// One line; invalid UTF-8 is replaced, never thrown on.
std::string to_line(const Json& value);
/// Appends `text` as a JSON string; what is plain ASCII at the cost of a copy.
void append_quoted(std::string& out, std::string_view text);
/// About as many bytes as to_line() would write.
std::size_t weight_of(const Json& value);
/// A member of data from outside; `fallback` when it is not there or of another type.
std::string text_in(const Json& object, std::string_view key, std::string fallback = {});
std::uint64_t size_in(const Json& object, std::string_view key);
bool flag_in(const Json& object, std::string_view key);
/// The contract's Error: code, message, hint, context; retry_after_ms where there is one.
Json to_json(const Error& error);
Error error_from_json(const Json& value);

}  // namespace musher
