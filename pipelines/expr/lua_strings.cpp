#include "pipelines/expr/lua_strings.h"

#include <cstring>
#include <lua.hpp>

#include "pipelines/expr/letter_case.h"
#include "pipelines/expr/lua_pattern.h"
#include "pipelines/expr/lua_values.h"

namespace musher::lua {

namespace {
std::string_view text_at(lua_State* lua, int index) {
    std::size_t size = 0;
    const char* text = luaL_checklstring(lua, index, &size);
    return std::string_view(text, size);
}

void check(lua_State* lua, const LuaPattern& pattern) {
    if (pattern.fault()) raise(lua, pattern.fault());
}

void push_text(lua_State* lua, std::string_view text) {
    lua_pushlstring(lua, text.data(), text.size());
}

/// Pushes capture `index`; without captures, number 0 is the whole match.
void push_capture(lua_State* lua, const LuaPattern& pattern, std::size_t index,
                  std::string_view subject, std::size_t from, std::size_t end) {
    if (index >= pattern.captures()) {
        if (index > 0) raise(lua, "invalid capture index in the replacement");
        return push_text(lua, subject.substr(from, end - from));
    }
    const LuaPattern::Capture& capture = pattern.capture(index);
    if (capture.length == LuaPattern::kOpen) raise(lua, "unfinished capture in the pattern");
    if (capture.length == LuaPattern::kPosition) {
        lua_pushinteger(lua, static_cast<lua_Integer>(capture.at + 1));
    } else {
        push_text(lua, subject.substr(capture.at, capture.length));
    }
}

int push_captures(lua_State* lua, const LuaPattern& pattern, std::string_view subject,
                  std::size_t from, std::size_t end, bool whole) {
    const std::size_t count = pattern.captures() == 0 && whole ? 1 : pattern.captures();
    luaL_checkstack(lua, static_cast<int>(count), "too many captures");
    for (std::size_t i = 0; i < count; ++i) push_capture(lua, pattern, i, subject, from, end);
    return static_cast<int>(count);
}

/// Lua's third argument: from 1, or from the end when negative. Past the end: kNone.
std::size_t start_at(lua_State* lua, int index, std::size_t size) {
    lua_Integer at = luaL_optinteger(lua, index, 1);
    const auto length = static_cast<lua_Integer>(size);
    if (at < 0) at = at < -length ? 1 : length + at + 1;
    if (at == 0) at = 1;
    return at > length + 1 ? LuaPattern::kNone : static_cast<std::size_t>(at - 1);
}

bool is_plain(std::string_view pattern) {
    return pattern.find_first_of("^$*+?.([%-") == std::string_view::npos;
}

int find_plain(lua_State* lua, std::string_view subject, std::string_view part, std::size_t from) {
    const std::size_t at = find_text(subject, part, from);
    if (at == std::string_view::npos) {
        lua_pushnil(lua);
        return 1;
    }
    lua_pushinteger(lua, static_cast<lua_Integer>(at + 1));
    lua_pushinteger(lua, static_cast<lua_Integer>(at + part.size()));
    return 2;
}

int search(lua_State* lua, bool find) {
    const std::string_view subject = text_at(lua, 1);
    std::string_view text = text_at(lua, 2);
    const std::size_t start = start_at(lua, 3, subject.size());
    if (start == LuaPattern::kNone) {
        lua_pushnil(lua);
        return 1;
    }
    if (find && (lua_toboolean(lua, 4) || is_plain(text))) {
        return find_plain(lua, subject, text, start);
    }
    const bool anchored = !text.empty() && text.front() == '^';
    if (anchored) text.remove_prefix(1);
    LuaPattern pattern(subject, text, evaluation(lua).pattern_steps);
    for (std::size_t from = start; from <= subject.size(); ++from) {
        const std::size_t end = pattern.match(from);
        check(lua, pattern);
        if (end == LuaPattern::kNone && !anchored) continue;
        if (end == LuaPattern::kNone) break;
        if (!find) return push_captures(lua, pattern, subject, from, end, true);
        lua_pushinteger(lua, static_cast<lua_Integer>(from + 1));
        lua_pushinteger(lua, static_cast<lua_Integer>(end));
        return push_captures(lua, pattern, subject, from, end, false) + 2;
    }
    lua_pushnil(lua);
    return 1;
}

int find(lua_State* lua) { return search(lua, true); }
int match(lua_State* lua) { return search(lua, false); }

/// Upvalues: subject, pattern, where to go on, end of the last match + 1 (0: none).
int next_match(lua_State* lua) {
    const std::string_view subject = text_at(lua, lua_upvalueindex(1));
    const auto start = static_cast<std::size_t>(lua_tointeger(lua, lua_upvalueindex(3)));
    const auto last = static_cast<std::size_t>(lua_tointeger(lua, lua_upvalueindex(4)));
    LuaPattern pattern(subject, text_at(lua, lua_upvalueindex(2)), evaluation(lua).pattern_steps);
    for (std::size_t from = start; from <= subject.size(); ++from) {
        const std::size_t end = pattern.match(from);
        check(lua, pattern);
        if (end == LuaPattern::kNone || end + 1 == last) continue;
        for (const int upvalue : {3, 4}) {
            lua_pushinteger(lua, static_cast<lua_Integer>(upvalue == 3 ? end : end + 1));
            lua_replace(lua, lua_upvalueindex(upvalue));
        }
        return push_captures(lua, pattern, subject, from, end, true);
    }
    return 0;
}

int gmatch(lua_State* lua) {
    const std::size_t start = start_at(lua, 3, text_at(lua, 1).size());
    text_at(lua, 2);
    lua_settop(lua, 2);
    lua_pushinteger(lua, static_cast<lua_Integer>(
                             start == LuaPattern::kNone ? text_at(lua, 1).size() + 1 : start));
    lua_pushinteger(lua, 0);
    lua_pushcclosure(lua, next_match, 4);
    return 1;
}

struct Match {
    const LuaPattern& pattern;
    std::string_view subject;
    std::size_t from;
    std::size_t end;
};

void add_text(lua_State* lua, luaL_Buffer& buffer, const Match& found) {
    const std::string_view text = text_at(lua, 3);
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            luaL_addchar(&buffer, text[i]);
            continue;
        }
        const char next = ++i < text.size() ? text[i] : '\0';
        if (next == '%') {
            luaL_addchar(&buffer, '%');
        } else if (next == '0') {
            luaL_addlstring(&buffer, found.subject.data() + found.from, found.end - found.from);
        } else if (next >= '1' && next <= '9') {
            push_capture(lua, found.pattern, static_cast<std::size_t>(next - '1'), found.subject,
                         found.from, found.end);
            luaL_addvalue(&buffer);
        } else {
            raise(lua, "invalid use of '%' in the replacement");
        }
    }
}

void add_value(lua_State* lua, luaL_Buffer& buffer, const Match& found) {
    if (lua_type(lua, 3) == LUA_TFUNCTION) {
        lua_pushvalue(lua, 3);
        const int count =
            push_captures(lua, found.pattern, found.subject, found.from, found.end, true);
        lua_call(lua, count, 1);
    } else {
        push_capture(lua, found.pattern, 0, found.subject, found.from, found.end);
        lua_gettable(lua, 3);
    }
    if (!lua_toboolean(lua, -1)) {
        lua_pop(lua, 1);
        push_text(lua, found.subject.substr(found.from, found.end - found.from));
    } else if (!lua_isstring(lua, -1)) {
        raise(lua, "a replacement must be text, not a " + std::string(luaL_typename(lua, -1)));
    }
    luaL_addvalue(&buffer);
}

int gsub(lua_State* lua) {
    const std::string_view subject = text_at(lua, 1);
    std::string_view text = text_at(lua, 2);
    const int kind = lua_type(lua, 3);
    luaL_argexpected(
        lua,
        kind == LUA_TNUMBER || kind == LUA_TSTRING || kind == LUA_TTABLE || kind == LUA_TFUNCTION,
        3, "string/function/table");
    const lua_Integer most = luaL_optinteger(lua, 4, static_cast<lua_Integer>(subject.size()) + 1);
    const bool anchored = !text.empty() && text.front() == '^';
    if (anchored) text.remove_prefix(1);
    LuaPattern pattern(subject, text, evaluation(lua).pattern_steps);
    luaL_Buffer buffer;
    luaL_buffinit(lua, &buffer);
    lua_Integer count = 0;
    std::size_t from = 0;
    std::size_t last = LuaPattern::kNone;
    while (count < most) {
        const std::size_t end = pattern.match(from);
        check(lua, pattern);
        if (end != LuaPattern::kNone && end != last) {
            ++count;
            const Match found{pattern, subject, from, end};
            kind == LUA_TNUMBER || kind == LUA_TSTRING ? add_text(lua, buffer, found)
                                                       : add_value(lua, buffer, found);
            from = last = end;
        } else if (from < subject.size()) {
            luaL_addchar(&buffer, subject[from++]);
        } else {
            break;
        }
        if (anchored) break;
    }
    luaL_addlstring(&buffer, subject.data() + from, subject.size() - from);
    luaL_pushresult(&buffer);
    lua_pushinteger(lua, count);
    return 2;
}

int lower(lua_State* lua) {
    push_text(lua, lower_case(text_at(lua, 1)));
    return 1;
}
int upper(lua_State* lua) {
    push_text(lua, upper_case(text_at(lua, 1)));
    return 1;
}
}  // namespace

std::size_t find_text(std::string_view text, std::string_view part, std::size_t from) {
    const void* found = memmem(text.data() + from, text.size() - from, part.data(), part.size());
    return found ? static_cast<std::size_t>(static_cast<const char*>(found) - text.data())
                 : std::string_view::npos;
}

void bound_string_functions(lua_State* lua) {
    const luaL_Reg functions[] = {{"find", find},    {"match", match}, {"gmatch", gmatch},
                                  {"gsub", gsub},    {"lower", lower}, {"upper", upper},
                                  {nullptr, nullptr}};
    luaL_setfuncs(lua, functions, 0);
    for (const char* name : {"dump", "pack", "unpack", "packsize"}) {
        lua_pushnil(lua);
        lua_setfield(lua, -2, name);
    }
}

}  // namespace musher::lua
