// YAML 1.2 typing, positions, secrets, and what is refused.
#include "pipelines/config/yaml.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "reactor/base/limits.h"
#include "tests/support/temp_dir.h"

namespace musher {
namespace {

struct Parsed {
    Value root;
    std::string problems;  // "line:column code message\n" each
};

Parsed parse(const std::string& text, const std::string& file = "a.yml") {
    std::vector<Problem> problems;
    Parsed parsed{parse_yaml(text, file, problems).value_or(Value{}), ""};
    for (const Problem& problem : problems) {
        parsed.problems += fmt::format("{}:{} {} {}\n", problem.at.line, problem.at.column,
                                       problem.code, problem.message);
    }
    return parsed;
}
std::string faults(const std::string& text) { return parse(text).problems; }
Json json(const std::string& text) {
    const Parsed parsed = parse(text);
    EXPECT_EQ(parsed.problems, "") << text;
    return parsed.root.to_json(true);
}
std::string place(const Value& value) {
    return fmt::format("{}:{}", value.at.line, value.at.column);
}

TEST(Yaml, OnlyTrueAndFalseAreBooleans) {
    EXPECT_EQ(json("[true, false]"), (Json{true, false}));
    for (const std::string word : {"yes", "no", "on", "off", "y", "n", "True", "FALSE"}) {
        EXPECT_EQ(json("a: " + word), (Json{{"a", word}}));
    }
    EXPECT_EQ(json("on: off"), (Json{{"on", "off"}})) << "keys are text too";
    EXPECT_EQ(json("1: true\ntrue: 1"), (Json{{"1", true}, {"true", 1}}));
}

TEST(Yaml, Numbers) {
    EXPECT_EQ(json("[1, -2, +3, 0x1F, 0o17, 0644, 007]"), (Json{1, -2, 3, 31, 15, 644, 7}));
    EXPECT_EQ(json("[1.5, .5, -1e3, 5.]"), (Json{1.5, 0.5, -1000.0, 5.0}));
    EXPECT_EQ(
        json("[1_000, 12:30:45, 0b1, 2024-05-06, 1e, -, 0x, inf, nan, 1.2.3]"),
        (Json{"1_000", "12:30:45", "0b1", "2024-05-06", "1e", "-", "0x", "inf", "nan", "1.2.3"}));
    EXPECT_EQ(json("a: 99999999999999999999").at("a"), Json(1e20)) << "over 64 bits: a real";
    EXPECT_EQ(parse("mode: 0644").root.find("mode")->text, "0644") << "text as it was written";
}

TEST(Yaml, QuotedAndBlockScalarsAreText) {
    EXPECT_EQ(json("a: \"5\"\nb: 'true'\nc: \"\"\nd: '~'"),
              (Json{{"a", "5"}, {"b", "true"}, {"c", ""}, {"d", "~"}}));
    EXPECT_EQ(json("a: |\n  one\n  two\nb: >-\n  one\n  two"),
              (Json{{"a", "one\ntwo\n"}, {"b", "one two"}}));
    EXPECT_EQ(json("a: |\n  123\nb: 1"), (Json{{"a", "123\n"}, {"b", 1}}));
}

TEST(Yaml, Nulls) {
    EXPECT_EQ(json("a:\nb: ~\nc: null\nd: 1"),
              (Json{{"a", nullptr}, {"b", nullptr}, {"c", nullptr}, {"d", 1}}));
    EXPECT_EQ(place(*parse("x: 1\na:\nb: 1").root.find("a")), "2:1")
        << "a missing value stands at its key";
}

TEST(Yaml, PositionsCountCodePoints) {
    const Parsed parsed = parse("\xef\xbb\xbfгод: \"ä\"\nb: {ключ: [x, ü, z]}\r\nc: \"a b\"\r\n");
    EXPECT_EQ(parsed.problems, "");
    EXPECT_EQ(place(*parsed.root.find("год")), "1:6");
    const Value& list = *parsed.root.find("b")->find("ключ");
    EXPECT_EQ(place(list), "2:11");
    EXPECT_EQ(place(list.items[2]), "2:18");
    const Value& quoted = *parsed.root.find("c");
    EXPECT_TRUE(quoted.quoted);
    EXPECT_EQ(quoted.content().column, 5);
    EXPECT_EQ(quoted.text, "a b");
}

TEST(Yaml, DuplicateKeys) {
    EXPECT_EQ(faults("a: 1\nb: 2\n\"a\": 3\n"),
              "3:1 duplicate_key the key `a` stands twice in one map\n");
    EXPECT_EQ(faults("x: {a: 1, a: 2}\ny: {b: 1, b: 2}\n"),
              "1:11 duplicate_key the key `a` stands twice in one map\n"
              "2:11 duplicate_key the key `b` stands twice in one map\n");
    std::vector<Problem> problems;
    parse_yaml("a: 1\na: 2", "f.yml", problems);
    EXPECT_EQ(problems.at(0).hint, "the first is in line 1, column 1");
    EXPECT_EQ(*problems.at(0).at.file, "f.yml");
}

TEST(Yaml, AliasesAndMerges) {
    const Parsed parsed = parse("base: &b\n  x: 1\n  y: 2\nuse: *b\nmore:\n  y: 3\n  <<: *b\n");
    EXPECT_EQ(parsed.problems, "");
    EXPECT_EQ(parsed.root.find("use")->to_json(true), (Json{{"x", 1}, {"y", 2}}));
    EXPECT_EQ(parsed.root.find("more")->to_json(true), (Json{{"x", 1}, {"y", 3}}));
    EXPECT_EQ(place(*parsed.root.find("use")->find("x")), "2:6") << "of the anchor";
    EXPECT_EQ(json("a: &a {x: 1}\nb: &b {x: 2, z: 3}\nc: {<<: [*a, *b]}").at("c"),
              (Json{{"x", 1}, {"z", 3}}));
    EXPECT_EQ(faults("a: &a 1\nb: {<<: *a}"),
              "1:4 bad_merge `<<` merges maps: *NAME or [*NAME, *NAME]\n");
    EXPECT_EQ(faults("a: &a [*a]"),
              "1:8 bad_alias this alias stands inside the value that it names\n");
}

TEST(Yaml, SmallFilesCannotFillTheMemory) {
    std::string laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
    for (int i = 1; i < 12; ++i) {
        laughs += fmt::format("a{0}: &a{0} [", i);
        for (int j = 0; j < 10; ++j) laughs += fmt::format("{}*a{}", j ? ", " : "", i - 1);
        laughs += "]\n";
    }
    EXPECT_NE(faults(laughs).find("too_large"), std::string::npos);
    std::string chain = "a0: &a0 x\n";
    for (int i = 1; i < 100; ++i) chain += fmt::format("a{0}: &a{0} [*a{1}]\n", i, i - 1);
    EXPECT_NE(faults(chain).find("too_deep"), std::string::npos);
    EXPECT_EQ(faults(std::string(100, '[') + std::string(100, ']')),
              "1:65 too_deep lists and maps nested over 64 levels deep\n");
    EXPECT_NE(faults(std::string(100'000, '[')).find("too_deep"), std::string::npos);
    EXPECT_NE(faults("a: " + std::string(70, '{')).find("too_deep"), std::string::npos);
}

TEST(Yaml, SecretsComeFromTheEnvironment) {
    ::setenv("MUSHER_TEST_PASSWORD", "5432", 1);
    const Parsed parsed = parse("a: !env MUSHER_TEST_PASSWORD\n");
    EXPECT_EQ(parsed.problems, "");
    const Value& secret = *parsed.root.find("a");
    EXPECT_TRUE(secret.secret);
    EXPECT_TRUE(secret.is(Value::Kind::string));
    EXPECT_EQ(secret.text, "5432");
    EXPECT_EQ(secret.origin, "!env MUSHER_TEST_PASSWORD");
    EXPECT_EQ(secret.to_json(false), Json("***"));
    EXPECT_EQ(faults("a: !env MUSHER_TEST_UNSET\n"),
              "1:4 unset_variable the environment variable MUSHER_TEST_UNSET is not set\n");
    EXPECT_EQ(faults("a: !env\nb: 1"), "1:4 bad_tag `!env` wants the name of a variable\n");
    EXPECT_EQ(faults("a: !env [x]"), "1:4 bad_tag `!env` wants one text behind it\n");
    EXPECT_TRUE(parse("a: !env MUSHER_TEST_UNSET\n").root.find("a")->faulty);
}

TEST(Yaml, SecretsComeFromFiles) {
    const test::TempDir folder;
    const std::string file = folder.path() + "/a.yml";
    const auto write = [&](const char* name, const std::string& content) {
        std::ofstream(folder.path() + "/" + name, std::ios::binary) << content;
    };
    const auto read = [&](const std::string& name) {
        const Parsed parsed = parse("a: !file " + name, file);
        EXPECT_EQ(parsed.problems, "");
        EXPECT_TRUE(parsed.root.find("a")->secret);
        return parsed.root.find("a")->text;
    };
    write("token", "s3cret\n");
    EXPECT_EQ(read("token"), "s3cret") << "relative to the YAML file";
    EXPECT_EQ(read(folder.path() + "/token"), "s3cret");
    write("windows", "s3cret\r\n");
    EXPECT_EQ(read("windows"), "s3cret");
    write("lines", "one\ntwo\n\n");
    EXPECT_EQ(read("lines"), "one\ntwo\n");
    const std::string key = std::string("\x01\xff", 2) + std::string(29, 'k') + "\n";
    write("key", key);
    EXPECT_EQ(read("key"), key) << "raw bytes have no lines";
    write("large", std::string(limits::kSecretBytes + 1, 'x'));
    EXPECT_NE(parse("a: !file large", file).problems.find("too large for a secret"),
              std::string::npos);
    EXPECT_NE(parse("a: !file none", file).problems.find("No such file"), std::string::npos);
}

TEST(Yaml, OtherTagsAreErrors) {
    EXPECT_EQ(faults("a: !vault x"), "1:4 bad_tag unknown tag `!vault`\n");
    EXPECT_EQ(faults("a: !!str 5"), "1:4 bad_tag unknown tag `!!str`\n");
    EXPECT_EQ(faults("a: !!map {}"), "1:4 bad_tag unknown tag `!!map`\n");
    EXPECT_EQ(faults("!env HOME: x"), "1:1 bad_key a tag makes values, not keys\n");
    EXPECT_EQ(faults("? [a]\n: b"), "1:3 bad_key a key must be text\n");
}

TEST(Yaml, WhatIsNoConfiguration) {
    EXPECT_EQ(faults(""), "1:1 empty_file the file says nothing\n");
    EXPECT_EQ(faults("# nothing\n"), "1:1 empty_file the file says nothing\n");
    EXPECT_EQ(faults("---\n"), "1:1 empty_file the file says nothing\n");
    EXPECT_EQ(faults("a: 1\n---\nb: 2\n"), "2:1 documents a second YAML document begins here\n");
    EXPECT_EQ(faults("a: 1\nb: \xe4\n"),
              "2:4 not_utf8 the file is not UTF-8: byte 0xE4 at offset 8\n");
    EXPECT_EQ(faults("a: b\x04 c"),
              "1:5 control_character the control character 0x04 cannot "
              "stand in YAML\n");
    EXPECT_EQ(faults(std::string("a\0:", 3)),
              "1:2 control_character the control character 0x00 cannot stand in YAML\n");
}

TEST(Yaml, SyntaxErrorsSayWhatToChange) {
    EXPECT_EQ(faults("a:\n\tb: 1\n"), "2:1 syntax a tab cannot indent YAML\n");
    EXPECT_EQ(faults("a:\n  b: 1\n  \tc: 1\n"), "3:3 syntax a tab cannot indent YAML\n");
    EXPECT_EQ(faults("a: {b: 1\n"), "1:4 syntax this `{` is never closed\n");
    EXPECT_EQ(faults("a: [b, [c]\nd: e\n"), "1:4 syntax this `[` is never closed\n");
    EXPECT_EQ(faults("a: \"abc\nd: e\n"), "1:4 syntax this quote is never closed\n");
    EXPECT_EQ(faults("a: 'it''s\n"), "1:4 syntax this quote is never closed\n");
    EXPECT_EQ(faults("a: 'it''s'\n"), "");
    EXPECT_EQ(faults("a: \"x\\\"y\"\n"), "");
    EXPECT_EQ(faults("a: b: c\n"), "1:5 syntax a `:` where no value can stand\n");
    EXPECT_EQ(faults("a: *.pdf\n"),
              "1:4 syntax `*` names an anchor, and there is none of that name\n");
    EXPECT_EQ(faults("a: @x\n"), "1:4 syntax text cannot begin with this character\n");
    EXPECT_EQ(faults("a: {m: ${x}}\n"), "1:9 syntax `${` inside { } or [ ] is read as YAML\n");
    EXPECT_EQ(faults("a:\n  - x\n b: d\n"),
              "3:2 syntax this line is not indented like the lines it belongs to\n");
    EXPECT_EQ(faults("a: \"\\q\"\n"), "1:7 syntax unknown escape in \"…\"\n");
}

TEST(Yaml, FilesHaveALimit) {
    const test::TempDir folder;
    const std::string file = folder.path() + "/a.yml";
    std::vector<Problem> problems;
    EXPECT_FALSE(read_config_text(file, problems));
    EXPECT_EQ(problems.at(0).code, "unreadable");
    std::ofstream(file) << std::string(limits::kConfigBytes + 1, '#');
    EXPECT_FALSE(read_config_text(file, problems));
    EXPECT_EQ(problems.at(1).message, "the file is larger than 4 MiB");
}

}  // namespace
}  // namespace musher
