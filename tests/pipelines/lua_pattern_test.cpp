// The bounded pattern matcher against Lua's own, and its bounds.
#include "pipelines/expr/lua_pattern.h"

#include <gtest/gtest.h>

#include <lua.hpp>
#include <random>

namespace musher {
namespace {

class RealLua {
  public:
    RealLua() : lua_(luaL_newstate()) { luaL_requiref(lua_, "string", luaopen_string, 1); }
    ~RealLua() { lua_close(lua_); }
    RealLua(const RealLua&) = delete;

    /// "begin end capture…" of string.find, "none", or "fault".
    std::string find(const std::string& subject, const std::string& pattern) {
        lua_settop(lua_, 0);
        lua_getglobal(lua_, "string");
        lua_getfield(lua_, -1, "find");
        lua_pushlstring(lua_, subject.data(), subject.size());
        lua_pushlstring(lua_, pattern.data(), pattern.size());
        if (lua_pcall(lua_, 2, LUA_MULTRET, 0) != LUA_OK) return "fault";
        if (lua_isnil(lua_, 2)) return "none";
        std::string all;
        for (int i = 2; i <= lua_gettop(lua_); ++i) {
            all += std::string(luaL_tolstring(lua_, i, nullptr)) + " ";
            lua_pop(lua_, 1);
        }
        return all;
    }

  private:
    lua_State* lua_;
};

std::string ours(const std::string& subject, std::string text) {
    if (text.find_first_of("^$*+?.([%-") == std::string::npos) {  // find's short cut: no pattern
        const std::size_t at = subject.find(text);
        return at == std::string::npos
                   ? "none"
                   : std::to_string(at + 1) + " " + std::to_string(at + text.size()) + " ";
    }
    std::size_t steps = 10'000'000;
    const bool anchored = text.starts_with('^');
    if (anchored) text.erase(0, 1);
    LuaPattern pattern(subject, text, steps);
    for (std::size_t from = 0; from <= subject.size(); ++from) {
        const std::size_t end = pattern.match(from);
        if (pattern.fault()) return "fault";
        if (end != LuaPattern::kNone) {
            std::string all = std::to_string(from + 1) + " " + std::to_string(end) + " ";
            for (std::size_t i = 0; i < pattern.captures(); ++i) {
                const auto& capture = pattern.capture(i);
                if (capture.length == LuaPattern::kOpen) return "fault";
                all += capture.length == LuaPattern::kPosition
                           ? std::to_string(capture.at + 1)
                           : subject.substr(capture.at, capture.length);
                all += " ";
            }
            return all;
        }
        if (anchored) break;
    }
    return "none";
}

TEST(LuaPattern, AgreesWithLuaOnHandWrittenOnes) {
    RealLua real;
    const std::pair<const char*, const char*> kCases[] = {
        {"order-0042_v2.pdf", "^(%a+)%-(%d+)_v(%d)%.pdf$"},
        {"a (b (c) d) e", "%b()"},
        {"THE (quick) fox", "%f[%a]%a+%f[%A]"},
        {"abcabc", "(abc)%1"},
        {"key = value", "^(%w+)%s*=%s*(%w+)$"},
        {"  trim me  ", "^%s*(.-)%s*$"},
        {"x", "()"},
        {"]]", "[]]+"},
        {"a-z", "[a%-z]+"},
        {"^x", "[%^x]+"},
        {"aaa", "a-$"},
        {"aXb", "[^%l]"},
        {"", ""},
        {"", "^$"},
        {"$", "$"},
        {"a$b", "a$b"},
        {"abc", "[a-]"},
        {"a", "%"},
        {"a", "["},
        {"a", "[^"},
        {"a", "(a"},
        {"a", "a)"},
        {"a", "%1"},
        {"a", "%f"},
        {"a", "%ba"},
        {"aaab", "a*ab?"},
    };
    for (const auto& [subject, pattern] : kCases) {
        EXPECT_EQ(ours(subject, pattern), real.find(subject, pattern)) << pattern;
    }
}

TEST(LuaPattern, AgreesWithLuaOnRandomOnes) {
    RealLua real;
    std::mt19937 random(20240506);
    const std::string kParts[] = {"a",  "b",  "%a", "%d", ".", "[ab]", "[^a]", "(",
                                  ")",  "()", "*",  "+",  "-", "?",    "%b()", "%f[b]",
                                  "%1", "$",  "^",  "%",  "]", "[",    "1"};
    for (int round = 0; round < 20'000; ++round) {
        std::string pattern;
        for (auto i = random() % 7; i > 0; --i) pattern += kParts[random() % std::size(kParts)];
        std::string subject;
        for (auto i = random() % 8; i > 0; --i) subject += "ab1()b"[random() % 6];
        ASSERT_EQ(ours(subject, pattern), real.find(subject, pattern))
            << "'" << pattern << "' on '" << subject << "'";
    }
}

TEST(LuaPattern, StopsWhenItsStepsAreUsedUp) {
    std::string pattern;
    for (int i = 0; i < 30; ++i) pattern += "a*";
    std::size_t steps = 1'000'000;
    const std::string subject(50, 'a');
    LuaPattern bomb(subject, pattern += "b", steps);
    EXPECT_EQ(bomb.match(0), LuaPattern::kNone);
    EXPECT_STREQ(bomb.fault(), "the pattern takes too many steps on this text");
    EXPECT_EQ(steps, 0u);
}

TEST(LuaPattern, StopsWhenNestedTooDeep) {
    std::string pattern;
    for (int i = 0; i < 300; ++i) pattern += "a?";
    std::size_t steps = 1'000'000;
    const std::string subject(300, 'a');
    LuaPattern deep(subject, pattern, steps);
    deep.match(0);
    EXPECT_STREQ(deep.fault(), "the pattern is too complex");
}

}  // namespace
}  // namespace musher
