// Json as Lua sees it: read-only proxies over what the bindings hold.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "pipelines/expr/expression.h"

struct lua_State;

namespace musher {

/// What one evaluation reads and may still spend; every Lua function reaches it through the state.
struct Evaluation {
    const Bindings* bindings = nullptr;
    const std::string* text = nullptr;  // of the expression
    std::size_t instructions = 0;       // spent
    std::size_t pattern_steps = 0;      // left
    std::size_t parse_bytes = 0;        // left for from_json
    std::int64_t cpu_limit_ns = 0;      // 0: not looked at yet
    std::deque<Json> parsed;            // what from_json made
};
Evaluation& evaluation(lua_State* lua);

namespace lua {

/// Registers the proxies' metatables. Inside a protected call.
void open_values(lua_State* lua);
/// Makes a field that no text, number or boolean has an error; the library of texts is on top of
/// the stack, and stays there.
void bound_scalars(lua_State* lua);
/// Pushes a scalar as itself, a map or a list as a proxy that stays valid for this evaluation.
void push(lua_State* lua, const Json& value);
/// A proxy that looks `name` up in the bindings of the running evaluation. `name` is static.
void push_root(lua_State* lua, const char* name);
/// A read-only view of the table on top of the stack, which it replaces.
void wrap_names(lua_State* lua);
/// The Json behind a proxy, else null.
const Json* node_at(lua_State* lua, int index);
/// Raises an error whose hint is kept apart from its message.
[[noreturn]] void raise(lua_State* lua, const std::string& message, const std::string& hint = {});
/// Raises "unknown field event.siez", with the nearest name as its hint.
[[noreturn]] void raise_unknown(lua_State* lua, const Json& map, const std::string& key);

}  // namespace lua
}  // namespace musher
