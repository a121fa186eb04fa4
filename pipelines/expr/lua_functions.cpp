#include "pipelines/expr/lua_functions.h"

#include <cmath>
#include <lua.hpp>

#include "pipelines/expr/letter_case.h"
#include "pipelines/expr/lua_results.h"
#include "pipelines/expr/lua_strings.h"
#include "pipelines/expr/lua_values.h"
#include "reactor/base/clock.h"
#include "reactor/base/text.h"

namespace musher::lua {

namespace {
std::string_view text_at(lua_State* lua, int index) {
    std::size_t size = 0;
    const char* text = luaL_checklstring(lua, index, &size);
    return std::string_view(text, size);
}
int give(lua_State* lua, std::string_view text) {
    lua_pushlstring(lua, text.data(), text.size());
    return 1;
}
int give(lua_State* lua, bool value) {
    lua_pushboolean(lua, value);
    return 1;
}

// Fields that may be missing.

/// Pushes what `path` ("row.mail") leads to from the value at 1: nil when a step is missing.
void walk(lua_State* lua) {
    const std::string path(text_at(lua, 2));
    const Json* node = node_at(lua, 1);
    if (!node && !lua_isnil(lua, 1)) raise(lua, "the first argument must be a map such as event");
    for (std::size_t from = 0; node && from <= path.size();) {
        const std::size_t dot = std::min(path.find('.', from), path.size());
        const auto found =
            node->is_object() ? node->find(path.substr(from, dot - from)) : node->end();
        node = found == node->end() ? nullptr : &*found;
        from = dot + 1;
    }
    node ? push(lua, *node) : lua_pushnil(lua);
}
int get(lua_State* lua) {
    lua_settop(lua, 3);
    walk(lua);
    if (lua_isnil(lua, -1)) lua_pop(lua, 1);
    return 1;
}
int has(lua_State* lua) {
    walk(lua);
    return give(lua, !lua_isnil(lua, -1));
}
int coalesce(lua_State* lua) {
    const int count = lua_gettop(lua);
    for (int i = 1; i <= count; ++i) {
        if (lua_isnil(lua, i)) continue;
        lua_pushvalue(lua, i);
        return 1;
    }
    lua_pushnil(lua);
    return 1;
}

// Text.

int lower(lua_State* lua) { return give(lua, lower_case(text_at(lua, 1))); }
int upper(lua_State* lua) { return give(lua, upper_case(text_at(lua, 1))); }
int trim(lua_State* lua) {
    const std::string_view text = text_at(lua, 1);
    constexpr std::string_view kSpace = " \t\r\n\v\f";
    const std::size_t from = std::min(text.find_first_not_of(kSpace), text.size());
    const std::size_t end = text.find_last_not_of(kSpace) + 1;
    return give(lua, text.substr(from, end > from ? end - from : 0));
}
int contains(lua_State* lua) {
    return give(lua, find_text(text_at(lua, 1), text_at(lua, 2), 0) != std::string_view::npos);
}
int starts_with(lua_State* lua) { return give(lua, text_at(lua, 1).starts_with(text_at(lua, 2))); }
int ends_with(lua_State* lua) { return give(lua, text_at(lua, 1).ends_with(text_at(lua, 2))); }
int matches(lua_State* lua) {
    const std::string_view text = text_at(lua, 1);
    const std::string_view glob = text_at(lua, 2);
    std::size_t& steps = evaluation(lua).pattern_steps;
    const std::size_t worst = (text.size() + 1) * (glob.size() + 1);
    if (worst > steps) raise(lua, "the text and the glob are too long to be matched");
    steps -= worst;
    return give(lua, glob_match(glob, text, true));
}
int replace(lua_State* lua) {
    const std::string_view text = text_at(lua, 1);
    const std::string_view from = text_at(lua, 2);
    const std::string_view to = text_at(lua, 3);
    if (from.empty()) raise(lua, "replace needs a text to look for");
    luaL_Buffer buffer;
    luaL_buffinit(lua, &buffer);
    std::size_t at = 0;
    for (std::size_t hit = 0; (hit = find_text(text, from, at)) != std::string_view::npos;) {
        luaL_addlstring(&buffer, text.data() + at, hit - at);
        luaL_addlstring(&buffer, to.data(), to.size());
        at = hit + from.size();
    }
    luaL_addlstring(&buffer, text.data() + at, text.size() - at);
    luaL_pushresult(&buffer);
    return 1;
}
int split(lua_State* lua) {
    const std::string_view text = text_at(lua, 1);
    const std::string_view separator = text_at(lua, 2);
    if (separator.empty()) raise(lua, "split needs a separator");
    lua_newtable(lua);
    lua_Integer count = 0;
    for (std::size_t from = 0; from <= text.size();) {
        const std::size_t end = std::min(find_text(text, separator, from), text.size());
        give(lua, text.substr(from, end - from));
        lua_rawseti(lua, -2, ++count);
        from = end + separator.size();
        if (end == text.size()) break;
    }
    return 1;
}
int join(lua_State* lua) {
    const std::string_view separator = text_at(lua, 2);
    if (!lua_istable(lua, 1) && !lua_isuserdata(lua, 1)) raise(lua, "join needs a list");
    luaL_Buffer buffer;
    luaL_buffinit(lua, &buffer);
    for (lua_Integer i = 1;; ++i) {
        if (lua_geti(lua, 1, i) == LUA_TNIL) break;
        if (!lua_isstring(lua, -1)) raise(lua, "join needs a list of texts and numbers");
        if (i > 1) {
            give(lua, separator);
            lua_insert(lua, -2);
            lua_concat(lua, 2);
        }
        luaL_addvalue(&buffer);
    }
    lua_pop(lua, 1);
    luaL_pushresult(&buffer);
    return 1;
}

// Names of files.

std::string_view name_of(std::string_view path) { return path.substr(path.rfind('/') + 1); }
/// Where the extension's dot stands; a leading dot begins no extension.
std::size_t dot_of(std::string_view name) {
    const std::size_t dot = name.rfind('.');
    return dot == 0 ? std::string_view::npos : dot;
}
int basename(lua_State* lua) { return give(lua, name_of(text_at(lua, 1))); }
int dirname(lua_State* lua) {
    const std::string_view path = text_at(lua, 1);
    const std::size_t slash = path.rfind('/');
    if (slash == std::string_view::npos) return give(lua, std::string_view("."));
    return give(lua, path.substr(0, std::max<std::size_t>(slash, 1)));
}
int stem(lua_State* lua) {
    const std::string_view name = name_of(text_at(lua, 1));
    return give(lua, name.substr(0, dot_of(name)));
}
int ext(lua_State* lua) {
    const std::string_view name = name_of(text_at(lua, 1));
    const std::size_t dot = dot_of(name);
    return give(lua, dot == std::string_view::npos ? std::string_view() : name.substr(dot + 1));
}

// Conversions. Their errors never show the value: it may be a secret.

int date(lua_State* lua) {
    std::int64_t wall_ms = 0;
    if (lua_type(lua, 1) == LUA_TNUMBER) {
        wall_ms = static_cast<std::int64_t>(lua_tonumber(lua, 1));
    } else {
        const auto parsed = parse_time(text_at(lua, 1));
        if (!parsed) raise(lua, "the first argument of date is " + parsed.error().message);
        wall_ms = *parsed;
    }
    const std::string format(luaL_optstring(lua, 2, "%Y-%m-%d"));
    const auto text = format_local(wall_ms, luaL_optstring(lua, 3, "UTC"), format);
    if (!text) raise(lua, text.error().message, text.error().hint);
    return give(lua, std::string_view(*text));
}
int json(lua_State* lua) {
    luaL_checkany(lua, 1);
    const auto value = take(lua, 1);
    if (!value) raise(lua, value.error().message);
    return give(lua, std::string_view(to_line(*value)));
}
int from_json(lua_State* lua) {
    const std::string_view text = text_at(lua, 1);
    Evaluation& now = evaluation(lua);
    if (text.size() > now.parse_bytes) raise(lua, "from_json reads at most 256KiB");
    now.parse_bytes -= text.size();
    auto value = parse_json(text);
    if (!value) raise(lua, "the text is not JSON");
    push(lua, now.parsed.emplace_back(std::move(*value)));
    return 1;
}
int encode_url(lua_State* lua) { return give(lua, std::string_view(url_encode(text_at(lua, 1)))); }
int round(lua_State* lua) {
    const lua_Number number = luaL_checknumber(lua, 1);
    const lua_Number scale = std::pow(10.0, static_cast<double>(luaL_optinteger(lua, 2, 0)));
    lua_pushnumber(lua, std::round(number * scale) / scale);
    return 1;
}

constexpr luaL_Reg kOwn[] = {{"get", get},
                             {"has", has},
                             {"coalesce", coalesce},
                             {"lower", lower},
                             {"upper", upper},
                             {"trim", trim},
                             {"contains", contains},
                             {"starts_with", starts_with},
                             {"ends_with", ends_with},
                             {"matches", matches},
                             {"replace", replace},
                             {"split", split},
                             {"join", join},
                             {"basename", basename},
                             {"dirname", dirname},
                             {"stem", stem},
                             {"ext", ext},
                             {"date", date},
                             {"json", json},
                             {"from_json", from_json},
                             {"url_encode", encode_url},
                             {"round", round},
                             {nullptr, nullptr}};
}  // namespace

void push_functions(lua_State* lua) { luaL_newlib(lua, kOwn); }

}  // namespace musher::lua
