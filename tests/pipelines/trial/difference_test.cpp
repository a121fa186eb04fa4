// Expected against actual, as people read it.
#include "pipelines/trial/difference.h"

#include <gtest/gtest.h>

namespace musher {
namespace {

std::string shown(const Json& value) {
    std::string text;
    for (const std::string& line : value_lines(value)) text += line + "\n";
    return text;
}

TEST(Difference, AStarStandsForAnything) {
    EXPECT_TRUE(matches("*/a.pdf.xz", "/srv/out/a.pdf.xz"));
    EXPECT_TRUE(matches("a*b*c", "aXbYbZc"));
    EXPECT_TRUE(matches("*", ""));
    EXPECT_TRUE(matches("[1] what?", "[1] what?")) << "only a star is special";
    EXPECT_FALSE(matches("a*a", "a")) << "one letter is not two";
    EXPECT_FALSE(matches("*.pdf", "a.pdf.xz"));
    EXPECT_FALSE(matches("7", 7)) << "text is no number";
}

TEST(Difference, AMapNamesAPart) {
    const Json actual{{"to", "/srv"}, {"name", "a"}, {"json", {{"n", 5}, {"m", {1, 2}}}}};
    EXPECT_TRUE(matches(Json{{"name", "a"}}, actual));
    EXPECT_TRUE(matches(Json{{"json", {{"m", {1, 2}}}}}, actual));
    EXPECT_FALSE(matches(Json{{"json", {{"m", Json::array({1})}}}}, actual)) << "lists are whole";
    EXPECT_FALSE(matches(Json{{"owner", "me"}}, actual));
    EXPECT_EQ(narrowed(Json{{"name", "b"}, {"owner", "me"}}, actual), (Json{{"name", "a"}}));
}

TEST(Difference, ValuesAreYaml) {
    EXPECT_EQ(shown(Json{{"name", "a"}, {"sink", "directory"}, {"step", "out"}, {"n", 5}}),
              "step: out\nsink: directory\nn: 5\nname: a\n");
    EXPECT_EQ(shown(Json{{"list", {"a b", "true", "5", "- x", "", 5, nullptr}}}),
              "list:\n- a b\n- \"true\"\n- \"5\"\n- \"- x\"\n- \"\"\n- 5\n- null\n");
    EXPECT_EQ(shown(Json{{"text", "a\n\nb\n"}, {"none", Json::object()}}),
              "none: {}\ntext: |\n  a\n  \n  b\n");
    EXPECT_EQ(shown(Json::array({Json{{"a", {{"b", {1, 2}}}}}})),
              "- a:\n    b:\n    - 1\n    - 2\n");
    EXPECT_EQ(shown(Json("\x1b[31m")), "\"\\u001b[31m\"\n") << "nothing reaches the terminal";
}

TEST(Difference, FarFromADifferenceLinesAreLeftOut) {
    std::vector<std::string> expected;
    for (int i = 0; i < 20; ++i) expected.push_back(std::to_string(i));
    std::vector<std::string> actual = expected;
    actual[10] = "ten";
    actual.push_back("more");
    EXPECT_EQ(line_difference(expected, actual),
              "  …\n  7\n  8\n  9\n- 10\n+ ten\n  11\n  12\n  13\n  …\n  17\n  18\n  19\n+ more\n");
    EXPECT_EQ(line_difference({"a"}, {}), "- a\n");
    EXPECT_EQ(line_difference({}, {"a"}), "+ a\n");
}

}  // namespace
}  // namespace musher
