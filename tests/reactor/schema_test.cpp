// decode(): every type, its defaults, its bounds and its messages.
#include "reactor/component/schema.h"

#include <gtest/gtest.h>

namespace musher {
namespace {

Value scalar(Value::Kind kind, std::string text) {
    Value value;
    value.kind = kind;
    value.text = std::move(text);
    value.boolean = value.text == "true";
    if (kind == Value::Kind::integer) value.integer = std::stoll(value.text);
    return value;
}
Value text(std::string content) { return scalar(Value::Kind::string, std::move(content)); }
Value number(std::string digits) { return scalar(Value::Kind::integer, std::move(digits)); }
Value list(std::vector<Value> items) {
    Value value;
    value.kind = Value::Kind::list;
    value.items = std::move(items);
    return value;
}
Value map(std::vector<std::pair<std::string, Value>> entries) {
    Value value;
    value.kind = Value::Kind::map;
    for (auto& [key, item] : entries) value.entries.push_back({key, Position{}, item});
    return value;
}
Option option(OptionType type, std::string_view fallback = {}) {
    Option made;
    made.name = "it";
    made.type = type;
    made.help = "the one thing";
    made.fallback = fallback;
    made.choices = {"auto", "poll"};
    return made;
}

struct Decoded {
    Json value;
    std::string problem;  // code: message | hint
};
Decoded decode_one(const Option& option, Value value) {
    std::vector<Problem> problems;
    const Options options = decode({option}, map({{"it", std::move(value)}}), "thing", problems);
    Decoded result{options.json("it"), ""};
    EXPECT_LE(problems.size(), 1u);
    if (!problems.empty()) {
        const Problem& only = problems.front();
        result.problem =
            only.code + ": " + only.message + (only.hint.empty() ? "" : " | ") + only.hint;
    }
    return result;
}
std::string fault_of(OptionType type, Value value) {
    return decode_one(option(type), std::move(value)).problem;
}
Json value_of(OptionType type, Value value) {
    const Decoded decoded = decode_one(option(type), std::move(value));
    EXPECT_EQ(decoded.problem, "");
    return decoded.value;
}

TEST(Schema, ConvertsEveryType) {
    EXPECT_EQ(value_of(OptionType::boolean, scalar(Value::Kind::boolean, "true")), Json(true));
    EXPECT_EQ(value_of(OptionType::integer, number("-7")), Json(-7));
    EXPECT_EQ(value_of(OptionType::text, number("0644")), Json("0644")) << "as it was written";
    EXPECT_EQ(value_of(OptionType::duration, text("250ms")), Json(250));
    EXPECT_EQ(value_of(OptionType::duration, number("0")), Json(0));
    EXPECT_EQ(value_of(OptionType::duration_range, text("1s..5m")),
              (Json{{"from", 1000}, {"to", 300'000}}));
    EXPECT_EQ(value_of(OptionType::duration_range, text("5s")),
              (Json{{"from", 5000}, {"to", 5000}}));
    EXPECT_EQ(value_of(OptionType::size, text("10MiB")), Json(10 << 20));
    EXPECT_EQ(value_of(OptionType::size, number("512")), Json(512));
    EXPECT_EQ(value_of(OptionType::choice, text("poll")), Json("poll"));
    EXPECT_EQ(value_of(OptionType::text_list, text("a")), (Json{"a"}));
    EXPECT_EQ(value_of(OptionType::text_list, list({text("a"), number("1")})), (Json{"a", "1"}));
    EXPECT_EQ(value_of(OptionType::text_map, map({{"k", number("1")}})), (Json{{"k", "1"}}));
    EXPECT_EQ(value_of(OptionType::any, map({{"k", number("1")}})), (Json{{"k", 1}}));
    EXPECT_EQ(value_of(OptionType::expression, scalar(Value::Kind::boolean, "true")), Json("true"));
    EXPECT_EQ(value_of(OptionType::path, text("/srv/in")), Json("/srv/in"));
}

TEST(Schema, SaysWhatWasWantedAndFound) {
    EXPECT_EQ(fault_of(OptionType::duration, list({})),
              "bad_type: `it` wants a duration such as 2s, found a list | "
              "durations are written 250ms, 2s, 5m, 1h or 7d");
    EXPECT_EQ(fault_of(OptionType::duration, number("5")),
              "bad_type: `it` wants a duration such as 2s, found `5` | "
              "say the unit: 5ms, 5s or 5m");
    EXPECT_EQ(fault_of(OptionType::size, text("10MB")),
              "bad_type: `it` wants a size such as 10MiB, found `10MB` | write 10MiB");
    EXPECT_EQ(fault_of(OptionType::size, text("2 gb")),
              "bad_type: `it` wants a size such as 10MiB, found `2 gb` | write 2GiB");
    EXPECT_EQ(fault_of(OptionType::boolean, text("no")),
              "bad_type: `it` wants true or false, found `no` | write false");
    EXPECT_EQ(fault_of(OptionType::integer, text("5")),
              "bad_type: `it` wants a whole number, found `5` | write it without quotes");
    EXPECT_EQ(fault_of(OptionType::text, map({})), "bad_type: `it` wants text, found a map");
    EXPECT_EQ(fault_of(OptionType::text, Value{}), "bad_type: `it` wants text, found nothing");
    EXPECT_EQ(fault_of(OptionType::choice, text("pol")),
              "bad_choice: `it` must be auto or poll, found `pol` | did you mean `poll`?");
    EXPECT_EQ(fault_of(OptionType::secret, text("hunter2")),
              "literal_secret: `it` is a secret and must not stand in the file | "
              "write !env NAME or !file PATH");
    EXPECT_EQ(fault_of(OptionType::path, text("~/in")),
              "bad_path: `~` is not expanded to a home directory | write the whole path");
    EXPECT_EQ(fault_of(OptionType::duration_range, text("5m..1s")),
              "out_of_range: `it` begins with the longer duration | write 1s..5m");
    EXPECT_EQ(fault_of(OptionType::text_map, map({{"k", list({})}})),
              "bad_type: `it.k` wants text, found a list");
    EXPECT_EQ(fault_of(OptionType::steps, text("x")),
              "bad_type: `it` wants a list of steps, found `x` | begin each one with `- `");
}

TEST(Schema, KeepsBounds) {
    Option level = option(OptionType::integer);
    level.least = 0;
    level.most = 9;
    EXPECT_EQ(decode_one(level, number("12")).problem,
              "out_of_range: `it` must be from 0 to 9, found `12`");
    Option settle = option(OptionType::duration);
    settle.least = 100;
    EXPECT_EQ(decode_one(settle, text("5ms")).problem,
              "out_of_range: `it` must be at least 100ms, found `5ms`");
    Option block = option(OptionType::size);
    block.most = 1 << 20;
    EXPECT_EQ(decode_one(block, text("2MiB")).problem,
              "out_of_range: `it` must be at most 1MiB, found `2MiB`");
}

TEST(Schema, UnknownAndMissingOptions) {
    Option needed = option(OptionType::text);
    needed.required = true;
    std::vector<Problem> problems;
    decode({needed}, map({{"its", text("x")}, {"zzzzzz", text("x")}}), "thing", problems);
    ASSERT_EQ(problems.size(), 3u);
    EXPECT_EQ(problems[0].message, "thing has no option `its`");
    EXPECT_EQ(problems[0].hint, "did you mean `it`?");
    EXPECT_EQ(problems[1].hint, "it has: it");
    EXPECT_EQ(problems[2].message, "thing needs the option `it`");
    EXPECT_EQ(problems[2].hint, "it: the one thing");
}

TEST(Schema, FillsDefaults) {
    std::vector<Problem> problems;
    const auto defaulted = [&](OptionType type, std::string_view fallback) {
        return decode({option(type, fallback)}, Value{}, "thing", problems).json("it");
    };
    EXPECT_EQ(defaulted(OptionType::boolean, "false"), Json(false));
    EXPECT_EQ(defaulted(OptionType::integer, "4"), Json(4));
    EXPECT_EQ(defaulted(OptionType::duration, "1s"), Json(1000));
    EXPECT_EQ(defaulted(OptionType::text, "*"), Json("*"));
    EXPECT_EQ(defaulted(OptionType::text_list, "*"), (Json{"*"}));
    EXPECT_EQ(defaulted(OptionType::text_list, R"(["*.tmp", "~$*"])"), (Json{"*.tmp", "~$*"}));
    EXPECT_EQ(defaulted(OptionType::text_map, R"({"a": 1})"), (Json{{"a", "1"}}));
    EXPECT_EQ(defaulted(OptionType::text, ""), Json(nullptr));
    EXPECT_TRUE(problems.empty());
}

TEST(Schema, TemplatesStayText) {
    Option level = option(OptionType::integer);
    level.templated = true;
    EXPECT_EQ(decode_one(level, text("${vars.level}")).value, Json("${vars.level}"));
    level.templated = false;
    EXPECT_NE(decode_one(level, text("${vars.level}")).problem, "");
}

TEST(Schema, SecretsConvertAndAreNeverShown) {
    Value port = text("5432");
    port.secret = true;
    EXPECT_EQ(decode_one(option(OptionType::integer), port).value, Json(5432));
    Value wrong = text("hunter2");
    wrong.secret = true;
    for (const auto type : {OptionType::boolean, OptionType::integer, OptionType::duration,
                            OptionType::duration_range, OptionType::size, OptionType::choice}) {
        const std::string problem = decode_one(option(type), wrong).problem;
        EXPECT_NE(problem.find("found a secret"), std::string::npos) << problem;
        EXPECT_EQ(problem.find("hunter2"), std::string::npos) << problem;
    }
    EXPECT_EQ(decode_one(option(OptionType::secret), wrong).value, Json("hunter2"));
}

TEST(Schema, FaultyValuesAreNotReportedTwice) {
    Value broken;
    broken.faulty = true;
    EXPECT_EQ(decode_one(option(OptionType::integer), broken).problem, "");
    std::vector<Problem> problems;
    decode({option(OptionType::integer)}, broken, "thing", problems);
    EXPECT_TRUE(problems.empty());
}

TEST(Schema, RelativePathsStartAtTheirFile) {
    Value path = text("out/../in");
    path.at.file = std::make_shared<const std::string>("/etc/musher/pipelines/a.yml");
    EXPECT_EQ(value_of(OptionType::path, path), Json("/etc/musher/pipelines/in"));
    const auto rendered = convert_text(option(OptionType::path), "b", path.at);
    EXPECT_EQ(*rendered, Json("/etc/musher/pipelines/b"));
}

TEST(Schema, ConvertsRenderedText) {
    EXPECT_EQ(*convert_text(option(OptionType::integer), "12"), Json(12));
    EXPECT_EQ(*convert_text(option(OptionType::boolean), "true"), Json(true));
    EXPECT_EQ(*convert_text(option(OptionType::size), "1KiB"), Json(1024));
    EXPECT_EQ(convert_text(option(OptionType::duration), "x").error().message,
              "`it` wants a duration such as 2s, found `x`");
}

TEST(Schema, GettersGiveZerosForWhatIsAbsent) {
    std::vector<Problem> problems;
    const Options options = decode({option(OptionType::integer)}, Value{}, "thing", problems);
    EXPECT_FALSE(options.has("it"));
    EXPECT_EQ(options.integer("it"), 0);
    EXPECT_EQ(options.duration("it"), milliseconds(0));
    EXPECT_EQ(options.text("it"), "");
    EXPECT_FALSE(options.flag("it"));
    EXPECT_TRUE(options.list("it").empty());
    EXPECT_DEATH((void)options.integer("ti"), "check failed");
}

}  // namespace
}  // namespace musher
