// string.find, match, gmatch and gsub on counted steps.
#pragma once

#include <cstddef>
#include <string_view>

struct lua_State;

namespace musher::lua {
/// Like text.find(part, from), but in linear time also for the worst of texts.
std::size_t find_text(std::string_view text, std::string_view part, std::size_t from);
/// Replaces Lua's own in the table on top of the stack. Inside a protected call.
void bound_string_functions(lua_State* lua);
}  // namespace musher::lua
