#include "pipelines/expr/lua_results.h"

#include <cmath>
#include <lua.hpp>

#include "pipelines/expr/lua_values.h"

namespace musher::lua {

namespace {
constexpr int kDeepest = 32;
constexpr std::size_t kLargest = 8 << 20;  // bytes of a result, a node counting as 64

Result<Json> take_bounded(lua_State* lua, int index, int depth, std::size_t& budget);

Failure too_large() { return fail(Errc::usage, "the value is too large"); }

Result<void> charge(const Json& value, std::size_t& budget) {
    const std::size_t cost =
        64 + (value.is_string() ? value.get_ref<const std::string&>().size() : 0);
    if (cost > budget) return too_large();
    budget -= cost;
    if (!value.is_structured()) return {};
    for (const Json& child : value) MUSHER_DO(charge(child, budget));
    return {};
}

Result<Json> take_number(lua_State* lua, int index) {
    if (lua_isinteger(lua, index)) return Json(lua_tointeger(lua, index));
    const lua_Number number = lua_tonumber(lua, index);
    if (!std::isfinite(number)) return fail(Errc::usage, "the value is not a finite number");
    // 512.0 is what 1024 / 2 gives: a whole number to everybody but Lua.
    if (std::trunc(number) == number && std::fabs(number) < 9.2e18) {
        return Json(static_cast<std::int64_t>(number));
    }
    return Json(number);
}

Failure mixed_table() {
    return fail(Errc::usage, "a table must be a list (1, 2, …) or have names only");
}

Result<Json> take_list(lua_State* lua, int index, std::size_t size, int depth,
                       std::size_t& budget) {
    Json list = Json::array();
    for (std::size_t i = 1; i <= size; ++i) {
        lua_rawgeti(lua, index, static_cast<lua_Integer>(i));
        auto item = take_bounded(lua, lua_gettop(lua), depth + 1, budget);
        lua_pop(lua, 1);
        if (!item) return item;
        list.push_back(std::move(*item));
    }
    return list;
}

Result<Json> take_map(lua_State* lua, int index, int depth, std::size_t& budget) {
    Json map = Json::object();
    lua_pushnil(lua);
    while (lua_next(lua, index) != 0) {
        auto value = take_bounded(lua, lua_gettop(lua), depth + 1, budget);
        if (!value || lua_type(lua, -2) != LUA_TSTRING) {
            lua_pop(lua, 2);
            return value ? mixed_table() : value;
        }
        std::size_t size = 0;
        const char* key = lua_tolstring(lua, -2, &size);
        map[std::string(key, size)] = std::move(*value);
        lua_pop(lua, 1);
    }
    return map;
}

Result<Json> take_table(lua_State* lua, int index, int depth, std::size_t& budget) {
    if (depth > kDeepest || !lua_checkstack(lua, 4)) {
        return fail(Errc::usage, "the value is nested too deep");
    }
    const auto size = static_cast<std::size_t>(lua_rawlen(lua, index));
    std::size_t keys = 0;
    lua_pushnil(lua);
    while (lua_next(lua, index) != 0) {
        lua_pop(lua, 1);
        ++keys;
    }
    if (keys == size) return take_list(lua, index, size, depth, budget);
    return size == 0 ? take_map(lua, index, depth, budget) : mixed_table();
}

Result<Json> take_bounded(lua_State* lua, int index, int depth, std::size_t& budget) {
    Result<Json> value = Json();
    switch (lua_type(lua, index)) {
        case LUA_TNIL:
            break;
        case LUA_TBOOLEAN:
            value = Json(lua_toboolean(lua, index) != 0);
            break;
        case LUA_TNUMBER:
            value = take_number(lua, index);
            break;
        case LUA_TSTRING: {
            std::size_t size = 0;
            const char* text = lua_tolstring(lua, index, &size);
            value = Json(std::string(text, size));
            break;
        }
        case LUA_TTABLE:
            if (budget < 64) return too_large();
            budget -= 64;
            return take_table(lua, index, depth, budget);
        default:
            const Json* node = node_at(lua, index);
            if (!node) return fail(Errc::usage, "the value is a function, not data");
            MUSHER_DO(charge(*node, budget));
            return *node;
    }
    if (value) MUSHER_DO(charge(*value, budget));
    return value;
}
}  // namespace

Result<Json> take(lua_State* lua, int index) {
    std::size_t budget = kLargest;
    return take_bounded(lua, lua_absindex(lua, index), 1, budget);
}

}  // namespace musher::lua
