#include "pipelines/expr/lua_library.h"

#include <lua.hpp>

#include "pipelines/expr/lua_functions.h"
#include "pipelines/expr/lua_strings.h"
#include "pipelines/expr/lua_values.h"
#include "reactor/base/text.h"

namespace musher::lua {

namespace {
constexpr const char* kFromLua[] = {"tonumber", "tostring", "type", "select",
                                    "pairs",    "ipairs",   "next"};
constexpr const char* kRoots[] = {"event", "job", "steps", "body", "env", "vars"};

/// type(), but naming event's maps and lists as its messages do.
int type_of(lua_State* lua) {
    luaL_checkany(lua, 1);
    if (const Json* node = node_at(lua, 1)) {
        lua_pushstring(lua, node->is_array() ? "list" : "map");
    } else {
        lua_pushstring(lua, luaL_typename(lua, 1));
    }
    return 1;
}

/// Called for a name that is not in the table: `now`, the element of a for_each, or a mistake.
int unknown_name(lua_State* lua) {
    const std::string name = lua_tostring(lua, 2) ? lua_tostring(lua, 2) : "?";
    const Bindings& bindings = *evaluation(lua).bindings;
    if (const auto bound = bindings.find(name); bound != bindings.end()) {
        push(lua, *bound);
        return 1;
    }
    if (name == "now") {  // before any event there is no time to tell
        lua_pushnil(lua);
        return 1;
    }
    if (name == "null" || name == "None") raise(lua, "unknown name " + name, "write nil");
    std::vector<std::string_view> names{"now"};
    lua_pushnil(lua);
    while (lua_next(lua, 1) != 0) {
        lua_pop(lua, 1);
        names.push_back(lua_tostring(lua, -1));
    }
    for (auto bound = bindings.begin(); bound != bindings.end(); ++bound) {
        names.push_back(bound.key());
    }
    const auto near = nearest(name, names);
    raise(lua, "unknown name " + name,
          near ? "did you mean " + std::string(*near) + "?"
               : "an expression sees event, job, steps, body, env, vars and now; text stands in "
                 "quotes");
}

/// The library at the top of the stack becomes the field `name` of the table below, read-only.
void add_library(lua_State* lua, const char* name, lua_CFunction open) {
    luaL_requiref(lua, name, open, 0);
    if (std::string_view(name) == "string") {
        bound_string_functions(lua);
        bound_scalars(lua);
    }
    if (std::string_view(name) == "math") {
        // The same value on every attempt.
        for (const char* random : {"random", "randomseed"}) {
            lua_pushnil(lua);
            lua_setfield(lua, -2, random);
        }
    }
    wrap_names(lua);
    lua_setfield(lua, -2, name);
}
}  // namespace

void push_environment(lua_State* lua) {
    push_functions(lua);
    luaL_requiref(lua, LUA_GNAME, luaopen_base, 0);
    for (const char* name : kFromLua) {
        lua_getfield(lua, -1, name);
        lua_setfield(lua, -3, name);
    }
    lua_pop(lua, 1);
    lua_pushcfunction(lua, type_of);
    lua_setfield(lua, -2, "type");
    add_library(lua, LUA_STRLIBNAME, luaopen_string);
    add_library(lua, LUA_MATHLIBNAME, luaopen_math);
    add_library(lua, LUA_UTF8LIBNAME, luaopen_utf8);
    lua_Integer size = 1024;
    for (const char* name : {"KiB", "MiB", "GiB", "TiB"}) {
        lua_pushinteger(lua, size);
        lua_setfield(lua, -2, name);
        size *= 1024;
    }
    for (const char* name : kRoots) {
        push_root(lua, name);
        lua_setfield(lua, -2, name);
    }
    lua_createtable(lua, 0, 1);
    lua_pushcfunction(lua, unknown_name);
    lua_setfield(lua, -2, "__index");
    lua_setmetatable(lua, -2);
    wrap_names(lua);
}

}  // namespace musher::lua
