#include "pipelines/expr/lua_values.h"

#include <cctype>
#include <lua.hpp>

#include "pipelines/expr/lua_results.h"
#include "reactor/base/text.h"

namespace musher {

Evaluation& evaluation(lua_State* lua) {
    return **static_cast<Evaluation**>(lua_getextraspace(lua));
}

namespace lua {

namespace {
/// Every userdata that an expression can see is one of these.
struct Proxy {
    const Json* node;  // a map or a list
    const char* root;  // or the name of a binding
};
// Their addresses are the metatables' keys in the registry.
char map_key, list_key, names_key;

const Json* resolve(lua_State* lua, const Proxy& proxy) {
    if (!proxy.root) return proxy.node;
    const Bindings* bindings = evaluation(lua).bindings;
    const auto found = bindings->find(proxy.root);
    return found == bindings->end() ? nullptr : &*found;
}

const Json& self(lua_State* lua) {
    const auto& proxy = *static_cast<const Proxy*>(lua_touserdata(lua, 1));
    const Json* node = resolve(lua, proxy);
    if (!node) raise(lua, std::string(proxy.root) + " is not known here");
    return *node;
}

/// "event.row", or steps["directory-2"] where the key is no name.
std::string join_name(const std::string& path, const std::string& key) {
    const bool name = !key.empty() && !std::isdigit(static_cast<unsigned char>(key.front())) &&
                      std::all_of(key.begin(), key.end(), [](char c) {
                          return std::isalnum(static_cast<unsigned char>(c)) || c == '_';
                      });
    if (!name) return path + "[\"" + key + "\"]";
    return path.empty() ? key : path + "." + key;
}

/// How `node` is reached from `from`: "event.row"; empty when it is not there.
std::string path_to(const Json& from, const Json* node, const std::string& path) {
    if (&from == node) return path;
    std::size_t index = 0;
    for (auto child = from.begin(); child != from.end(); ++child) {
        if (!child->is_structured()) continue;
        const std::string step = from.is_array() ? path + "[" + std::to_string(++index) + "]"
                                                 : join_name(path, child.key());
        const std::string found = path_to(*child, node, step);
        if (!found.empty()) return found;
    }
    return {};
}

/// Text that a hostile value may have brought in is shown only if the expression itself has it,
/// or cannot have taken it from `env`: secrets live there.
bool may_show(lua_State* lua, const std::string& key) {
    const std::string& text = *evaluation(lua).text;
    return text.find(key) != std::string::npos || text.find("env") == std::string::npos;
}

std::string fields_hint(const Json& map, const std::string& key, const std::string& path) {
    std::vector<std::string_view> names;
    for (auto child = map.begin(); child != map.end(); ++child) names.push_back(child.key());
    if (const auto near = nearest(key, names)) {
        return "did you mean " + join_name(path, std::string(*near)) + "?";
    }
    if (names.empty()) return (path.empty() ? "it" : path) + " has no fields";
    std::string all = (path.empty() ? "it" : path) + " has ";
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (i == 12) return all + ", …";
        all += (i == 0 ? "" : ", ") + std::string(names[i]);
    }
    return all;
}

int index_map(lua_State* lua) {
    const Json& map = self(lua);
    if (lua_type(lua, 2) != LUA_TSTRING) {
        raise(lua, "a map's fields have names, not " + std::string(luaL_typename(lua, 2)) + "s");
    }
    std::size_t size = 0;
    const char* key = lua_tolstring(lua, 2, &size);
    if (!map.is_object()) raise_unknown(lua, map, std::string(key, size));
    const auto found = map.find(std::string_view(key, size));
    if (found == map.end()) raise_unknown(lua, map, std::string(key, size));
    push(lua, *found);
    return 1;
}

int index_list(lua_State* lua) {
    const Json& list = self(lua);
    if (lua_type(lua, 2) != LUA_TNUMBER) raise(lua, "a list's items have numbers, from 1");
    const lua_Integer at = lua_tointeger(lua, 2);
    if (at < 1 || static_cast<std::size_t>(at) > list.size()) {
        lua_pushnil(lua);
    } else {
        push(lua, list[static_cast<std::size_t>(at - 1)]);
    }
    return 1;
}

int length(lua_State* lua) {
    lua_pushinteger(lua, static_cast<lua_Integer>(self(lua).size()));
    return 1;
}

int equal(lua_State* lua) {
    const Json* left = node_at(lua, 1);
    const Json* right = node_at(lua, 2);
    lua_pushboolean(lua, left && right && *left == *right);
    return 1;
}

int text_of(lua_State* lua) {
    const std::string text = to_line(self(lua));
    lua_pushlstring(lua, text.data(), text.size());
    return 1;
}

/// How the expression itself names the one whose `key` it asked for: "event.name"; empty when it
/// was computed. Lua does not say where a text or a number comes from.
std::string path_asked(lua_State* lua, const Json& from, const Json& value, const std::string& key,
                       const std::string& path) {
    const std::string& text = *evaluation(lua).text;
    std::size_t index = 0;
    for (auto child = from.begin(); child != from.end(); ++child) {
        std::string step = from.is_array() ? path + "[" + std::to_string(++index) + "]"
                                           : join_name(path, child.key());
        if (text.find(step) == std::string::npos) continue;
        if (*child == value && mentions(text, join_name(step, key))) return step;
        if (!child->is_structured()) continue;
        const std::string found = path_asked(lua, *child, value, key, step);
        if (!found.empty()) return found;
    }
    return {};
}

[[noreturn]] void raise_no_field(lua_State* lua) {
    const bool letters = lua_type(lua, 1) == LUA_TSTRING;
    const std::string kind = letters ? "a text" : std::string("a ") + luaL_typename(lua, 1);
    if (lua_type(lua, 2) != LUA_TSTRING) {
        raise(lua, kind + " has no items", letters ? "sub(1, 1) gives its first letter" : "");
    }
    std::size_t size = 0;
    const char* name = lua_tolstring(lua, 2, &size);
    const std::string key(name, size);
    if (!may_show(lua, key)) raise(lua, kind + " has no such field");
    const Json value = take(lua, 1).value_or(nullptr);
    const std::string path = path_asked(lua, *evaluation(lua).bindings, value, key, "");
    if (path.empty()) raise(lua, kind + " has no field " + key);
    const bool failure = path == "job.error";
    raise(lua, "unknown field " + join_name(path, key),
          path + " is " + kind + (failure ? "; its parts are in job.failed.error" : ""));
}

/// Upvalue: the library of texts, whose functions are their methods.
int index_scalar(lua_State* lua) {
    if (lua_type(lua, 1) == LUA_TSTRING) {
        lua_pushvalue(lua, 2);
        if (lua_rawget(lua, lua_upvalueindex(1)) != LUA_TNIL) return 1;
    }
    raise_no_field(lua);
}

int next_of_map(lua_State* lua) {
    const auto& map = self(lua).get_ref<const Json::object_t&>();
    auto at = map.begin();
    if (lua_type(lua, 2) == LUA_TSTRING) at = map.upper_bound(std::string(lua_tostring(lua, 2)));
    if (at == map.end()) {
        lua_pushnil(lua);
        return 1;
    }
    lua_pushlstring(lua, at->first.data(), at->first.size());
    push(lua, at->second);
    return 2;
}

int next_of_list(lua_State* lua) {
    const Json& list = self(lua);
    const auto at = static_cast<std::size_t>(lua_tointeger(lua, 2));
    if (at >= list.size()) {
        lua_pushnil(lua);
        return 1;
    }
    lua_pushinteger(lua, static_cast<lua_Integer>(at + 1));
    push(lua, list[at]);
    return 2;
}

int pairs_of(lua_State* lua) {
    const Json& node = self(lua);
    if (!node.is_structured()) raise(lua, "there is nothing to go through");
    lua_pushcfunction(lua, node.is_object() ? next_of_map : next_of_list);
    lua_pushvalue(lua, 1);
    lua_pushnil(lua);
    return 3;
}

int refuse_write(lua_State* lua) {
    raise(lua, "expressions change nothing: what they see is read-only");
}

void add_metatable(lua_State* lua, char& key, const char* name, lua_CFunction index) {
    const luaL_Reg functions[] = {
        {"__index", index},      {"__newindex", refuse_write}, {"__len", length}, {"__eq", equal},
        {"__tostring", text_of}, {"__pairs", pairs_of},        {nullptr, nullptr}};
    luaL_newlib(lua, functions);
    lua_pushstring(lua, name);
    lua_setfield(lua, -2, "__name");
    lua_pushboolean(lua, false);
    lua_setfield(lua, -2, "__metatable");
    lua_rawsetp(lua, LUA_REGISTRYINDEX, &key);
}

void push_proxy(lua_State* lua, Proxy proxy, const char& key) {
    *static_cast<Proxy*>(lua_newuserdatauv(lua, sizeof(Proxy), 0)) = proxy;
    lua_rawgetp(lua, LUA_REGISTRYINDEX, &key);
    lua_setmetatable(lua, -2);
}
}  // namespace

void open_values(lua_State* lua) {
    add_metatable(lua, map_key, "map", index_map);
    add_metatable(lua, list_key, "list", index_list);
}

void bound_scalars(lua_State* lua) {
    const int methods = lua_gettop(lua);
    lua_pushliteral(lua, "");
    lua_getmetatable(lua, -1);  // has arithmetic too
    lua_pushvalue(lua, methods);
    lua_pushcclosure(lua, index_scalar, 1);
    lua_setfield(lua, -2, "__index");
    for (const bool number : {true, false}) {
        number ? lua_pushinteger(lua, 0) : lua_pushboolean(lua, false);
        lua_createtable(lua, 0, 1);
        lua_pushcfunction(lua, index_scalar);
        lua_setfield(lua, -2, "__index");
        lua_setmetatable(lua, -2);
    }
    lua_settop(lua, methods);
}

void push(lua_State* lua, const Json& value) {
    switch (value.type()) {
        case Json::value_t::boolean:
            lua_pushboolean(lua, value.get<bool>());
            break;
        case Json::value_t::number_integer:
            lua_pushinteger(lua, value.get<lua_Integer>());
            break;
        case Json::value_t::number_unsigned: {
            const auto number = value.get<std::uint64_t>();
            if (number <= static_cast<std::uint64_t>(INT64_MAX)) {
                lua_pushinteger(lua, static_cast<lua_Integer>(number));
            } else {
                lua_pushnumber(lua, static_cast<lua_Number>(number));
            }
            break;
        }
        case Json::value_t::number_float:
            lua_pushnumber(lua, value.get<lua_Number>());
            break;
        case Json::value_t::string: {
            const auto& text = value.get_ref<const std::string&>();
            lua_pushlstring(lua, text.data(), text.size());
            break;
        }
        case Json::value_t::object:
            push_proxy(lua, Proxy{&value, nullptr}, map_key);
            break;
        case Json::value_t::array:
            push_proxy(lua, Proxy{&value, nullptr}, list_key);
            break;
        default:
            lua_pushnil(lua);
    }
}

void push_root(lua_State* lua, const char* name) { push_proxy(lua, Proxy{nullptr, name}, map_key); }

void wrap_names(lua_State* lua) {
    push_proxy(lua, Proxy{nullptr, nullptr}, names_key);
    lua_createtable(lua, 0, 3);
    lua_pushvalue(lua, -3);
    lua_setfield(lua, -2, "__index");
    lua_pushcfunction(lua, refuse_write);
    lua_setfield(lua, -2, "__newindex");
    lua_pushstring(lua, "library");
    lua_setfield(lua, -2, "__name");
    lua_setmetatable(lua, -2);
    lua_remove(lua, -2);
}

const Json* node_at(lua_State* lua, int index) {
    const auto* proxy = static_cast<const Proxy*>(lua_touserdata(lua, index));
    return proxy ? resolve(lua, *proxy) : nullptr;
}

void raise(lua_State* lua, const std::string& message, const std::string& hint) {
    const std::string both = hint.empty() ? message : message + "\n" + hint;
    lua_pushlstring(lua, both.data(), both.size());
    lua_error(lua);
    std::abort();  // lua_error does not return; its declaration does not say so
}

void raise_unknown(lua_State* lua, const Json& map, const std::string& key) {
    const std::string path = path_to(*evaluation(lua).bindings, &map, "");
    if (!may_show(lua, key)) raise(lua, "unknown field in " + (path.empty() ? "a map" : path));
    raise(lua, "unknown field " + join_name(path, key), fields_hint(map, key, path));
}

}  // namespace lua
}  // namespace musher
