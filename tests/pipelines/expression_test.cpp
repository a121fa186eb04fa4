// Expressions: values, fields, functions, and what a hostile one cannot do.
#include "pipelines/expr/expression.h"

#include <gtest/gtest.h>

#include <ctime>

#include "pipelines/expr/functions.h"
#include "pipelines/expr/lua_sandbox.h"
#include "tests/support/sanitized.h"

namespace musher {
namespace {

const Bindings& bindings() {
    static const Bindings kBindings = parse_json(R"({
        "event": {"name": "a b.pdf", "stem": "a b", "size": 10, "big": 18446744073709551615,
                  "ratio": 0.5, "ok": true, "nothing": null, "tags": ["x", "y"],
                  "row": {"mail": "a@b", "my col": 1, "end": 2}},
        "job": {"id": "j1", "attempt": 2, "error": "it broke"},
        "steps": {"directory-2": {"path": "/p"}},
        "body": {"size": 10},
        "env": {"TOKEN": "s3cret-token"},
        "vars": {"limit": 5, "map": {"k": 1}},
        "now": "2024-05-06T07:08:09.000Z"})")
                                          .value();
    return kBindings;
}

class Expressions : public testing::Test {
  protected:
    std::shared_ptr<LuaSandbox> sandbox_ = LuaSandbox::create().value();
    Position at_{std::make_shared<const std::string>("p.yml"), 5, 7};

    Result<Json> run(const std::string& text) {
        MUSHER_TRY(const Expression compiled, Expression::compile(sandbox_, text, at_));
        return compiled.evaluate(bindings());
    }
    std::string value(const std::string& text) {
        const auto result = run(text);
        return result ? to_line(*result) : "error: " + result.error().text();
    }
    std::string message(const std::string& text) {
        const auto result = run(text);
        return result ? "value: " + to_line(*result) : result.error().message;
    }
    std::string hint(const std::string& text) {
        const auto result = run(text);
        return result ? "value: " + to_line(*result) : result.error().hint;
    }
};

constexpr std::pair<const char*, const char*> kValues[] = {
    {"event.size > 0", "true"},
    {"event.size", "10"},
    {"event.size / 4", "2.5"},
    {"event.size / 5", "2"},
    {"event.big", "18446744073709551615"},
    {"event.ratio * 2", "1"},
    {"event.ok and 'yes' or 'no'", "\"yes\""},
    {"event.nothing", "null"},
    {"event.nothing == nil", "true"},
    {"event.tags", "[\"x\",\"y\"]"},
    {"event.tags[2]", "\"y\""},
    {"event.tags[3]", "null"},
    {"#event.tags", "2"},
    {"event.row", "{\"end\":2,\"mail\":\"a@b\",\"my col\":1}"},
    {"event.row['my col']", "1"},
    {"event['row']['end']", "2"},
    {"event.row == event.row", "true"},
    {"event.row == event.tags", "false"},
    {"event.name .. '!'", "\"a b.pdf!\""},
    {"event.name:upper()", "\"A B.PDF\""},
    {"now", "\"2024-05-06T07:08:09.000Z\""},
    {"now:sub(1, 4)", "\"2024\""},
    {"steps['directory-2'].path", "\"/p\""},
    {"{1, 'a', {x = event.row}}", "[1,\"a\",{\"x\":{\"end\":2,\"mail\":\"a@b\",\"my col\":1}}]"},
    {"{}", "[]"},
    {"nil", "null"},
    {"2^53", "9007199254740992"},
    {"event.size < 2*GiB", "true"},
    {"get(event, 'row.mail', 'none')", "\"a@b\""},
    {"get(event, 'row.phone', 'none')", "\"none\""},
    {"get(event, 'nothing', 1)", "1"},
    {"get(event, 'size.x')", "null"},
    {"get(nil, 'x', 2)", "2"},
    {"get(steps, 'sql.rows', 0)", "0"},
    {"has(event, 'row.phone')", "false"},
    {"coalesce(nil, event.nothing)", "null"},
    {"tostring(event.tags)", "\"[\\\"x\\\",\\\"y\\\"]\""},
    {"type(event.tags)", "\"list\""},
    {"json(event.row)", "\"{\\\"end\\\":2,\\\"mail\\\":\\\"a@b\\\",\\\"my col\\\":1}\""},
    {"join(event.tags, '+')", "\"x+y\""},
    {"from_json('{\"a\": [1]}').a", "[1]"},
    {"matches(event.name, '*.PDF')", "true"},
    {"date(now, '%d.%m.%Y')", "\"06.05.2024\""},
    {"date(0)", "\"1970-01-01\""},
    {"dirname('a')", "\".\""},
    {"dirname('/a')", "\"/\""},
    {"stem('.hidden')", "\".hidden\""},
    {"ext('none')", "\"\""},
    {"event.name:gsub('%a', {a = 'x'})", "\"x b.pdf\""},
    {"event.name:gsub('%a', function(c) return c == 'a' and 1 or nil end)", "\"1 b.pdf\""},
    {"event.name:gsub('(%a) (%a)', '%2%%%1')", "\"b%a.pdf\""},
    {"event.name:find('.', 1, true)", "4"},
    {"event.name:match('^(%a)')", "\"a\""},
    {"event.name:match('x')", "null"},
    {"(function() local t = {} for c in event.name:gmatch('%a') do t[#t + 1] = c end "
     "return join(t, '') end)()",
     "\"abpdf\""},
    {"(function() local t = {} for k in pairs(event.row) do t[#t + 1] = k end return t end)()",
     "[\"end\",\"mail\",\"my col\"]"},
    {"(function() local s = '' for i, v in ipairs(event.tags) do s = s .. i .. v end "
     "return s end)()",
     "\"1x2y\""},
    {"event.size -- a comment", "10"},
    {"event.size\n  > 5", "true"},
};
TEST_F(Expressions, GiveValuesOfEveryType) {
    for (const auto& [text, expected] : kValues) EXPECT_EQ(value(text), expected) << text;
}

TEST_F(Expressions, EveryDocumentedFunctionDoesWhatItsExampleSays) {
    for (const ExpressionFunction& row : kExpressionFunctions) {
        EXPECT_EQ(value(std::string(row.example)), row.result) << row.name;
        EXPECT_EQ(value(std::string(row.name) + " ~= nil"), "true") << row.name;
    }
}

TEST_F(Expressions, NameTheFieldThatIsUnknown) {
    EXPECT_EQ(message("event.siez > 0"), "unknown field event.siez in `event.siez > 0`");
    EXPECT_EQ(hint("event.siez > 0"), "did you mean event.size?");
    EXPECT_EQ(message("event.row.mial"), "unknown field event.row.mial in `event.row.mial`");
    EXPECT_EQ(hint("event.row.qqqqqqqqqq"), "event.row has end, mail, my col");
    EXPECT_EQ(message("evnt.size"), "unknown name evnt in `evnt.size`");
    EXPECT_EQ(hint("evnt.size"), "did you mean event?");
    EXPECT_EQ(hint("null"), "write nil");
    EXPECT_EQ(message("event.nothing.x"),
              "attempt to index a nil value (field 'nothing') in `event.nothing.x`");
    EXPECT_EQ(message("event.row > 1"), "attempt to compare number with map in `event.row > 1`");
    EXPECT_EQ(hint("steps.directory-2"), "did you mean steps[\"directory-2\"]?");
    EXPECT_EQ(message("event[1]"), "a map's fields have names, not numbers in `event[1]`");
    EXPECT_EQ(run("event.siez > 0").error().text(),
              "p.yml:5:7: unknown field event.siez in `event.siez > 0`");
}

TEST_F(Expressions, KnowNoFieldsOfTextsAndNumbers) {
    const auto told = [&](const std::string& text) {
        const std::string said = message(text);
        return said.substr(0, said.find(" in `")) + " | " + hint(text);
    };
    EXPECT_EQ(told("event.name.foo"), "unknown field event.name.foo | event.name is a text");
    EXPECT_EQ(told("event.stem == event.name.x and 1"),
              "unknown field event.name.x | event.name is a text");
    EXPECT_EQ(told("event.name.foo == nil"), "unknown field event.name.foo | event.name is a text");
    EXPECT_EQ(told("event.row.mail.x"),
              "unknown field event.row.mail.x | event.row.mail is a text");
    EXPECT_EQ(told("event.tags[2].x"), "unknown field event.tags[2].x | event.tags[2] is a text");
    EXPECT_EQ(told("now.x"), "unknown field now.x | now is a text");
    EXPECT_EQ(told("event.size.x"), "unknown field event.size.x | event.size is a number");
    EXPECT_EQ(told("event.ok.x"), "unknown field event.ok.x | event.ok is a boolean");
    EXPECT_EQ(told("event.name:foo()"), "a text has no field foo | ");
    EXPECT_EQ(told("event.name:upper().foo"), "a text has no field foo | ");
    EXPECT_EQ(told("(0/0).foo"), "a number has no field foo | ");
    EXPECT_EQ(told("event.name[1]"), "a text has no items | sub(1, 1) gives its first letter");
    EXPECT_EQ(told("event.name[env.TOKEN]"), "a text has no such field | ");
    EXPECT_EQ(told("job.error.code"),
              "unknown field job.error.code | job.error is a text; its parts are in "
              "job.failed.error");
    EXPECT_EQ(value("('x'):rep(3) .. #event.name .. event.name.len('ab')"), "\"xxx72\"");
    EXPECT_EQ(value("'10' + 1"), "11");
}

TEST_F(Expressions, SayWhatDoesNotCompileAndWhere) {
    const auto place = [&](const std::string& text) {
        Position fault;
        const auto compiled = Expression::compile(sandbox_, text, at_, &fault);
        return compiled ? "compiles" : position_text(fault) + " " + compiled.error().message;
    };
    EXPECT_EQ(place("event.size >> > 2"),
              "p.yml:5:21 unexpected symbol near '>' in `event.size >> > 2`");
    EXPECT_EQ(place("(event.size"), "p.yml:5:18 ')' expected at the end in `(event.size`");
    EXPECT_EQ(place("event.a != 1"), "p.yml:5:15 unexpected '!' in `event.a != 1`");
    EXPECT_EQ(hint("event.a != 1"), "not equal is written ~=");
    EXPECT_EQ(hint("event.size = 1"), "equal is written ==");
    EXPECT_EQ(place("  "), "p.yml:5:9 the expression is empty");
    EXPECT_EQ(place("1, 2"), "p.yml:5:8 an expression is one value in `1, 2`");
    EXPECT_EQ(place("x = 1"), "p.yml:5:9 unexpected '=' in `x = 1`");
    EXPECT_EQ(place("1; local x = 2"), "p.yml:5:10 unexpected 'local' in `1; local x = 2`");
    EXPECT_NE(place(std::string("\x1bLua") + std::string(30, '\0')), "compiles");
}

TEST_F(Expressions, WhenMustBeTrueOrFalse) {
    const auto test = [&](const std::string& text) {
        return Expression::compile(sandbox_, text, at_).value().test(bindings());
    };
    EXPECT_TRUE(test("event.size == 10").value());
    EXPECT_FALSE(test("event.size ~= 10").value());
    EXPECT_EQ(test("event.size").error().message,
              "the value is a number, not true or false in `event.size`");
}

TEST_F(Expressions, CannotReachTheHost) {
    for (const char* name : {"io",
                             "os",
                             "load",
                             "loadstring",
                             "dofile",
                             "loadfile",
                             "require",
                             "package",
                             "debug",
                             "getmetatable",
                             "setmetatable",
                             "rawget",
                             "rawset",
                             "rawequal",
                             "rawlen",
                             "coroutine",
                             "collectgarbage",
                             "print",
                             "pcall",
                             "xpcall",
                             "error",
                             "table",
                             "_G",
                             "warn"}) {
        EXPECT_EQ(message(name), std::string("unknown name ") + name + " in `" + name + "`");
    }
    for (const char* text : {"string.dump", "math.random", "math.randomseed", "string.pack"}) {
        EXPECT_EQ(value(text), "null") << text;
    }
    EXPECT_EQ(message("getmetatable('').__index").substr(0, 25), "unknown name getmetatable");
    EXPECT_EQ(message("(function() string.rep = nil end)()"),
              "expressions change nothing: what they see is read-only in "
              "`(function() string.rep = nil end)()`");
    EXPECT_EQ(message("(function() x = 1 end)()").substr(0, 26), "expressions change nothing");
    EXPECT_EQ(message("(function() _ENV.x = 1 end)()").substr(0, 26), "expressions change nothing");
    EXPECT_EQ(message("(function() event.size = 1 end)()").substr(0, 26),
              "expressions change nothing");
    EXPECT_EQ(message("(function() event = 1 end)()").substr(0, 26), "expressions change nothing");
    EXPECT_EQ(message("('').x.y"), "a text has no field x in `('').x.y`");
    EXPECT_EQ(message("(function() return ('').rep end)().x").substr(0, 17), "attempt to index ");
    EXPECT_EQ(message("_ENV"), "the value is a function, not data in `_ENV`");
    EXPECT_EQ(message("string.rep"), "the value is a function, not data in `string.rep`");
    EXPECT_EQ(message("0/0"), "the value is not a finite number in `0/0`");
    EXPECT_EQ(message("{1, x = 2}"),
              "a table must be a list (1, 2, …) or have names only in `{1, x = 2}`");
}

TEST_F(Expressions, SurviveHostileOnes) {
    const std::string deep(100'000, '(');
    const std::string kHostile[] = {
        "(function() while true do end end)()",
        "(function() local t = {} while true do t[#t + 1] = {} end end)()",
        "(function() local s = 'x' while true do s = s .. s end end)()",
        "('x'):rep(1e9)",
        "('x'):rep(1e18)",
        "(function() for i = 1, 1e9 do local s = ('x'):rep(4000000) end end)()",
        "(function() local a, b = ('x'):rep(3000000), ('x'):rep(2999999) .. 'x' "
        "while a == b do end end)()",
        "(function() local s = ('x'):rep(3000000) while s:find('y', 1, true) == nil do end end)()",
        "('a'):rep(50):find(('a*'):rep(30) .. 'b')",
        "('a'):rep(100000):match('.-.-.-.-b')",
        "('a'):rep(1000000):gsub('', ('b'):rep(1000))",
        "(function() local function f() return 1 + f() end return f() end)()",
        "(function() local function f(s) return (s:gsub('.', f)) end return f('x') end)()",
        "(function() local t = {} t[1] = t return t end)()",
        "(function() local t = {} for i = 1, 40 do t = {t, t} end return t end)()",
        "string.format('%99999s', 'x')",
        "('x'):rep(100000, ('y'):rep(1000))",
        "replace(('a'):rep(2000000), 'a', 'bbbbbbbb')",
        "from_json(('['):rep(100000))",
        "from_json(('[0],'):rep(100000))",
        "matches(('a'):rep(100000), ('a*'):rep(1000))",
        "join(split(('a,'):rep(1000000), ','), ('x'):rep(1000))",
        "math.max(('x'):rep(3000000):byte(1, -1))",
        "utf8.char(('x'):rep(500000):byte(1, -1))",
        "(function(...) return select('#', ...) end)(('x'):rep(3000000):byte(1, -1))",
        "(" + std::string(1000, '(') + "1" + std::string(1000, ')') + ")",
        deep,
    };
    for (const std::string& text : kHostile) {
        const std::clock_t began = std::clock();
        const auto result = run(text);
        const double seconds = double(std::clock() - began) / CLOCKS_PER_SEC;
        ASSERT_FALSE(result.has_value()) << text.substr(0, 80);
        EXPECT_EQ(result.error().code, Errc::usage) << text.substr(0, 80);
        EXPECT_LT(seconds, 1.0 * test::kSlowdown) << text.substr(0, 80);
        EXPECT_LT(sandbox_->memory(), LuaSandbox::kMemory);
        ASSERT_EQ(value("event.size > 0"), "true") << "after " << text.substr(0, 80);
    }
    EXPECT_LT(sandbox_->memory(), 1u << 20) << "errors leave nothing behind";
}

TEST_F(Expressions, LeaveNothingBehind) {
    EXPECT_EQ(value("(function() local x = 1 return x end)()"), "1");
    const std::size_t before = sandbox_->memory();
    for (int i = 0; i < 20'000; ++i) ASSERT_EQ(value("event.name .. event.size"), "\"a b.pdf10\"");
    EXPECT_LT(sandbox_->memory(), before + (256u << 10));
}

TEST_F(Expressions, KeepSecretsOutOfTheirErrors) {
    for (const char* text : {"vars.map[env.TOKEN]", "event[env.TOKEN]", "date(env.TOKEN)",
                             "from_json(env.TOKEN)", "env.TOKEN + 1", "env.TOKEN < 1",
                             "get(env.TOKEN, 'x')", "('').x[env.TOKEN]", "env.TOKEN:rep('x')"}) {
        const auto result = run(text);
        ASSERT_FALSE(result.has_value()) << text;
        EXPECT_EQ((result.error().text() + result.error().hint).find("s3cret"), std::string::npos)
            << text << ": " << result.error().text();
    }
    EXPECT_EQ(hint("env.TOKNE"), "did you mean env.TOKEN?");
    EXPECT_EQ(message("vars.map[event.name]"),
              "unknown field vars.map[\"a b.pdf\"] in `vars.map[event.name]`");
}

}  // namespace
}  // namespace musher
