// Texts with ${…}: parsing, joining, positions.
#include "pipelines/expr/template.h"

#include <gtest/gtest.h>

#include "pipelines/expr/lua_sandbox.h"

namespace musher {
namespace {

const Bindings& bindings() {
    static const Bindings kBindings =
        parse_json(R"({"event": {"stem": "a", "size": 7, "half": 0.5, "tags": ["x"], "none": null},
                       "env": {"TOKEN": "s3cret"}, "vars": {"args": ["p", "q"], "n": 5}})")
            .value();
    return kBindings;
}
Position at(int line, int column) {
    return Position{std::make_shared<const std::string>("p.yml"), line, column};
}

class Templates : public testing::Test {
  protected:
    std::shared_ptr<LuaSandbox> sandbox_ = LuaSandbox::create().value();

    std::string render(const std::string& text) {
        const auto compiled = TextTemplate::compile(sandbox_, text, at(3, 10));
        if (!compiled) return "error: " + compiled.error().text();
        const auto value = compiled->render(bindings());
        return value ? to_line(*value) : "error: " + value.error().text();
    }
};

TEST_F(Templates, JoinTheirParts) {
    const std::pair<const char*, const char*> kCases[] = {
        {"", "\"\""},
        {"plain", "\"plain\""},
        {"${event.size}", "7"},
        {"${event.tags}", "[\"x\"]"},
        {"${event.none}", "null"},
        {" ${event.size}", "\" 7\""},
        {"${event.stem}-${event.size}.xz", "\"a-7.xz\""},
        {"${event.half} ${event.size / 7} ${true}", "\"0.5 1 true\""},
        {"$${event.stem}", "\"${event.stem}\""},
        {"$$${event.stem}", "\"$${event.stem}\""},
        {"$ $$ {} }", "\"$ $$ {} }\""},
        {"${ ({a = {1}}).a[1] }", "1"},
        {"${({x = '}'}).x}", "\"}\""},
        {"${'\\'}'}", "\"'}\""},
        {"${\"${x}\"}", "\"${x}\""},
        {"${[[}]]}", "\"}\""},
        {"${[==[]]}]==]}", "\"]]}\""},
        {"${event.tags[1]}!", "\"x!\""},
        {"ä${event.stem}", "\"äa\""},
    };
    for (const auto& [text, expected] : kCases) EXPECT_EQ(render(text), expected) << text;
}

TEST_F(Templates, SayWhereTheirFaultsAre) {
    EXPECT_EQ(render("x ${event.stem"), "error: p.yml:3:12: a ${ without its }");
    EXPECT_EQ(render("x ${'}"), "error: p.yml:3:12: a ${ without its }");
    EXPECT_EQ(render("ä ${event.a +}"),
              "error: p.yml:3:23: unexpected symbol at the end in `event.a +`");
    EXPECT_EQ(render("ä ${event.sten}b"),
              "error: p.yml:3:14: unknown field event.sten in `event.sten`");
    EXPECT_EQ(render("a ${event.tags}"),
              "error: p.yml:3:14: `event.tags` is a list, which has no "
              "place inside a text");
    EXPECT_EQ(render("a ${event.none}"),
              "error: p.yml:3:14: `event.none` is nothing (nil), which has "
              "no place inside a text");
    EXPECT_EQ(render("${}"), "error: p.yml:3:12: the expression is empty");
    EXPECT_EQ(render("line\n${event.sten}"),
              "error: p.yml:3:10: unknown field event.sten in `event.sten`");
}

TEST_F(Templates, KnowWhetherTheyReadTheEnvironment) {
    const auto reads = [&](const char* text) {
        return TextTemplate::compile(sandbox_, text, at(1, 1)).value().reads_environment();
    };
    EXPECT_TRUE(reads("a${env.TOKEN}"));
    EXPECT_FALSE(reads("env ${event.environment} ${envy == 1}"));
}

}  // namespace
}  // namespace musher
