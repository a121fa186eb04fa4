// What an expression came to: from Lua to data.
#pragma once

#include "reactor/base/json.h"

struct lua_State;

namespace musher::lua {
/// Copies a value out. An error says what has no place in data: functions, NaN, tables in tables
/// over 32 deep, more than 8 MiB. Allocates nothing in Lua, so it needs no protected call.
Result<Json> take(lua_State* lua, int index);
}  // namespace musher::lua
