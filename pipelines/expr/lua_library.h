// The names that expressions see beside their bindings; functions.h describes them.
#pragma once

struct lua_State;

namespace musher::lua {
/// Pushes the environment of every chunk: read-only, the same for all. Inside a protected call.
void push_environment(lua_State* lua);
}  // namespace musher::lua
