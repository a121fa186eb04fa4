// A component's options with ${…}: compiling, rendering by type, positions, secrets.
#include <gtest/gtest.h>

#include <cstdlib>

#include "pipelines/config/yaml.h"
#include "pipelines/expr/lua_sandbox.h"
#include "pipelines/expr/template.h"

namespace musher {
namespace {

const std::vector<Option>& table() {
    static const std::vector<Option> kTable = {
        {.name = "text",
         .type = OptionType::text,
         .help = "",
         .fallback = "${event.stem}.x",
         .templated = true},
        {.name = "fixed", .type = OptionType::text, .help = ""},
        {.name = "path", .type = OptionType::path, .help = "", .templated = true},
        {.name = "count", .type = OptionType::integer, .help = "", .templated = true, .least = 1},
        {.name = "wait", .type = OptionType::duration, .help = "", .templated = true},
        {.name = "size", .type = OptionType::size, .help = "", .templated = true},
        {.name = "flag", .type = OptionType::boolean, .help = "", .templated = true},
        {.name = "list", .type = OptionType::text_list, .help = "", .templated = true},
        {.name = "map", .type = OptionType::text_map, .help = "", .templated = true},
        {.name = "any", .type = OptionType::any, .help = "", .templated = true},
        {.name = "key", .type = OptionType::secret, .help = "", .templated = true},
        {.name = "rule", .type = OptionType::expression, .help = "", .fallback = "event.size > 1"},
        {.name = "row", .type = OptionType::expression_map, .help = ""},
    };
    return kTable;
}
const Bindings& bindings() {
    static const Bindings kBindings =
        parse_json(R"({"event": {"stem": "a", "size": 7, "tags": ["x", 2]},
                       "env": {"TOKEN": "s3cret"}, "vars": {"n": 5, "wait": "2s", "yes": true}})")
            .value();
    return kBindings;
}

class Rendering : public testing::Test {
  protected:
    std::string check(const std::string& yaml) {
        problems_.clear();
        const auto value = parse_yaml(yaml, "/etc/p/p.yml", problems_);
        template_ = OptionsTemplate::compile(sandbox_, table(), value.value_or(Value()), "thing",
                                             problems_);
        std::string all;
        for (const Problem& problem : problems_) {
            all += position_text(problem.at) + " " + problem.code + " " + problem.message + "\n";
        }
        return all;
    }
    /// The option `name` of `yaml`, or what went wrong.
    std::string render(const std::string& yaml, const char* name) {
        if (std::string all = check(yaml); !all.empty()) return all;
        const auto options = template_.render(bindings());
        return options ? to_line(options->json(name)) : "error: " + options.error().text();
    }

    std::shared_ptr<LuaSandbox> sandbox_ = LuaSandbox::create().value();
    std::vector<Problem> problems_;
    OptionsTemplate template_;
};

TEST_F(Rendering, ConvertsToTheOptionsType) {
    struct Case {
        const char* name;
        const char* yaml;
        const char* expected;
    };
    const Case kCases[] = {
        {"text", "{}", "\"a.x\""},
        {"text", "text: \"n${event.size}\"", "\"n7\""},
        {"text", "text: \"${event.size}\"", "\"7\""},
        {"text", "text: $${x}", "\"${x}\""},
        {"fixed", "fixed: \"${event.size}\"", "\"${event.size}\""},
        {"path", "path: \"out/${event.stem}\"", "\"/etc/p/out/a\""},
        {"path", "path: \"/srv/${event.stem}\"", "\"/srv/a\""},
        {"count", "count: \"${vars.n + 1}\"", "6"},
        {"count", "count: 3", "3"},
        {"wait", "wait: \"${vars.wait}\"", "2000"},
        {"wait", "wait: \"${vars.n}m\"", "300000"},
        {"size", "size: \"${vars.n}KiB\"", "5120"},
        {"size", "size: \"${2*MiB}\"", "2097152"},
        {"flag", "flag: \"${vars.yes}\"", "true"},
        {"list", "list: [\"${event.stem}\", b, \"${event.size}\"]", "[\"a\",\"b\",\"7\"]"},
        {"list", "list: \"${event.stem}\"", "[\"a\"]"},
        {"list", "list: \"${event.tags}\"", "[\"x\",\"2\"]"},
        {"map", "map: { a: \"${event.size}\", b: \"x${event.size}\" }", "{\"a\":7,\"b\":\"x7\"}"},
        {"any", "any: { a: [ \"${event.tags}\", 1 ] }", "{\"a\":[[\"x\",2],1]}"},
        {"rule", "{}", "true"},
        {"rule", "rule: event.size", "7"},
        {"row", "row: { a: event.size, b: true }", "{\"a\":7,\"b\":true}"},
    };
    for (const Case& one : kCases) EXPECT_EQ(render(one.yaml, one.name), one.expected) << one.yaml;
    EXPECT_EQ(template_.fixed().json("text"), "${event.stem}.x");
}

TEST_F(Rendering, SaysWhatIsWrongBeforeAnyJob) {
    EXPECT_EQ(check("text: \"a ${event.x +}\"\ncount: \"${(}\"\nrow: { a: 1 + }\n"),
              "/etc/p/p.yml:1:21 bad_expression unexpected symbol at the end in `event.x +`\n"
              "/etc/p/p.yml:2:12 bad_expression unexpected symbol at the end in `(`\n"
              "/etc/p/p.yml:3:14 bad_expression unexpected symbol at the end in `1 +`\n");
    EXPECT_EQ(check("text: x ${event.y"), "/etc/p/p.yml:1:9 bad_expression a ${ without its }\n");
    EXPECT_EQ(check("count: fast"),
              "/etc/p/p.yml:1:8 bad_type `count` wants a whole number, found `fast`\n");
}

TEST_F(Rendering, SaysWhatIsWrongWithAValue) {
    EXPECT_EQ(render("text: \"a ${event.x}\"", "text"),
              "error: option text: /etc/p/p.yml:1:12: unknown field event.x in `event.x`");
    EXPECT_EQ(render("count: \"${event.stem}\"", "count"),
              "error: option count: /etc/p/p.yml:1:9: `count` wants a whole number, found `a`");
    EXPECT_EQ(render("count: \"${0}\"", "count"),
              "error: option count: /etc/p/p.yml:1:9: `count` must be at least 1, found `0`");
    EXPECT_EQ(render("text: \"${event.tags}\"", "text"),
              "error: option text: /etc/p/p.yml:1:8: the value is a list, not text");
    EXPECT_EQ(render("list: [x, \"${event.tags}\"]", "list"),
              "error: option list: /etc/p/p.yml:1:12: the value is a list, not text inside a list");
    EXPECT_EQ(render("list: \"${ {{1}} }\"", "list"),
              "error: option list: /etc/p/p.yml:1:8: the value is a list, not a list of texts");
}

TEST_F(Rendering, NoExpressionLeadsAPathOutOfItsFolder) {
    const std::string refused = ": an expression gives the path a `..` or a NUL byte";
    const std::string place = "error: option path: /etc/p/p.yml:1:8";
    for (const char* path : {"/srv/${'..'}", "/srv/${'a/../..'}/x", "/srv/${'../../etc'}",
                             "/srv/.${'.'}/x", "/srv/${'.'}./x", "/srv/${'.'}${'.'}",
                             "${'/a/../b'}", "out/${'..'}", "/srv/${'a\\0b'}"}) {
        EXPECT_EQ(render(std::string("path: \"") + path + "\"", "path"), place + refused) << path;
    }
    EXPECT_EQ(render("path: \"${''}/etc\"", "path"),
              place + ": `''` gives nothing, so that the path begins at the root");
    EXPECT_EQ(render("path: \"/srv/${event.stem}/../b\"", "path"), "\"/srv/a/../b\"");
    EXPECT_EQ(render("path: \"/srv/..${event.stem}/...\"", "path"), "\"/srv/..a/...\"");
    EXPECT_EQ(render("path: \"/srv/${'a/b'}\"", "path"), "\"/srv/a/b\"");
    EXPECT_EQ(render("path: \"${'/srv/a'}\"", "path"), "\"/srv/a\"");
    EXPECT_EQ(render("path: \"/srv/$${x}\"", "path"), "\"/srv/${x}\"");
}

TEST_F(Rendering, NeverShowsOrReadsSecrets) {
    ::setenv("MUSHER_TEST_SECRET", "${event.stem} s3cret", 1);
    EXPECT_EQ(render("key: !env MUSHER_TEST_SECRET", "key"), "\"${event.stem} s3cret\"");
    EXPECT_EQ(render("text: !env MUSHER_TEST_SECRET", "text"), "\"${event.stem} s3cret\"");
    EXPECT_EQ(render("any: { a: !env MUSHER_TEST_SECRET }", "any"),
              "{\"a\":\"${event.stem} s3cret\"}");
    for (const char* yaml : {"count: !env MUSHER_TEST_SECRET", "rule: !env MUSHER_TEST_SECRET",
                             "row: { a: !env MUSHER_TEST_SECRET }", "count: \"${env.TOKEN}\"",
                             "wait: \"${env.TOKEN}\"", "wait: \"${lower(env.TOKEN)} s\"",
                             "path: \"${env[env.TOKEN]}\""}) {
        const std::string said = render(yaml, "text");
        EXPECT_EQ(said.find("s3cret"), std::string::npos) << yaml << ": " << said;
        EXPECT_NE(said.find("p.yml:1:"), std::string::npos) << yaml << ": " << said;
    }
}

TEST_F(Rendering, KnowsWhatCameFromSecrets) {
    ::setenv("MUSHER_TEST_SECRET", "from outside", 1);
    ASSERT_EQ(check("text: \"a/${env.TOKEN}\"\nfixed: env\nlist: [ \"${event.stem}\" ]\n"
                    "map: { a: !env MUSHER_TEST_SECRET, b: \"${vars.wait}\", c: x }\n"
                    "any: { deep: [ \"${env.TOKEN}\" ] }"),
              "");
    const Options options = template_.render(bindings()).value();
    using Texts = std::vector<std::string>;
    EXPECT_EQ(options.secrets("text"), Texts{"a/s3cret"});
    EXPECT_EQ(options.secrets("map"), (Texts{"from outside", "2s"}));
    EXPECT_EQ(options.secrets("any"), Texts{"s3cret"});
    EXPECT_EQ(options.secrets("fixed"), Texts());
    EXPECT_EQ(options.secrets("list"), Texts());
    EXPECT_EQ(template_.fixed().secrets("map"), Texts{"from outside"});
}

}  // namespace
}  // namespace musher
