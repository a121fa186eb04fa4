// musher's own functions for expressions; functions.h describes them.
#pragma once

struct lua_State;

namespace musher::lua {
/// Pushes a table of them. Inside a protected call.
void push_functions(lua_State* lua);
}  // namespace musher::lua
