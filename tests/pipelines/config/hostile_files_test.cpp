// Files that nobody should write: checking them does not last.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "pipelines/config/check.h"
#include "pipelines/config/render_error.h"
#include "reactor/base/limits.h"
#include "tests/support/as_user.h"
#include "tests/support/checked_text.h"
#include "tests/support/sanitized.h"
#include "tests/support/temp_dir.h"

namespace musher {
namespace {

namespace fs = std::filesystem;

constexpr const char* kHead = "version: 1\nsource: { hotfolder: { path: /srv/in } }\n";
constexpr const char* kSteps = "steps: [ directory: /srv/out ]\n";

std::string repeat(std::size_t times, const std::string& text) {
    std::string all;
    all.reserve(times * text.size());
    for (std::size_t i = 0; i < times; ++i) all += text;
    return all;
}

/// `form` with {} replaced by 0, 1, 2, …
std::string count(int times, const char* form) {
    std::string all;
    for (int i = 0; i < times; ++i) all += fmt::format(fmt::runtime(form), i);
    return all;
}

struct Hostile {
    const char* name;
    std::string text;
    const char* code;          // of one of its problems; "": it has none
    const char* or_code = "";  // what a slow processor may come to first
};

std::vector<Hostile> hostile_files() {
    std::string anchors;
    for (int i = 0; i < 50; ++i) anchors += fmt::format("&a{} [ ", i);
    anchors += repeat(20'000, "1, ") + repeat(50, "]");
    return {
        {"one line of many values",
         kHead + std::string("tests: [") + repeat(90'000, "\"x y z w v u t s r q p o n\", ") +
             "]\n" + kSteps,
         "bad_type"},
        {"many keys", kHead + count(45'000, "key{}: 1\n") + kSteps, "too_many"},
        {"many keys in one line", "{" + count(45'000, "key{}: 1, ") + "}", "too_many"},
        {"one long key", kHead + std::string(1'000, 'k') + ": 1\n" + kSteps, "unknown_key"},
        {"many steps", kHead + std::string("steps:\n") + repeat(20'000, "  - log: x\n"), ""},
        {"many loops",
         kHead + std::string("steps:\n") +
             repeat(4'000, "  - for_each: { in: '{}', steps: [ log: x ] }\n"),
         ""},
        {"many wrong steps", kHead + std::string("steps:\n") + repeat(30'000, "  - lgo: x\n"),
         "too_many"},
        {"endless loops",
         kHead + std::string("steps:\n") +
             count(5'000,
                   "  - log: \"${{(function() while true do end return "
                   "{} end)()}}\"\n"),
         "too_many", "slow_expressions"},
        {"megabytes of Lua",
         kHead + std::string("when: ") + repeat(300'000, "1 + ") + "1 > 0\n" + kSteps, ""},
        {"an open ${ many times",
         kHead + std::string("steps: [ log: \"") + repeat(1'000'000, "${") + "\" ]\n",
         "bad_expression"},
        {"a bad byte at the end of a long line",
         kHead + std::string("description: ") + std::string(3 << 20, 'x') + "\xff\n", "not_utf8"},
        {"anchors around anchors", kHead + std::string("tests: ") + anchors + "\n" + kSteps,
         "too_large"},
        {"deep brackets", std::string(1 << 20, '['), "too_deep"},
        {"deep braces", repeat(1 << 18, "{a: "), "too_deep"},
        {"deep dashes", repeat(1 << 18, "- "), "too_deep"},
        {"deep keys", count(2'000, "k{}: "), "syntax"},
        {"quotes without end", repeat(1 << 18, "\"a\" '"), "documents"},
        {"tags and anchors", repeat(1 << 18, "!a &b "), "syntax"},
        {"larger than a file may be", std::string(limits::kConfigBytes + 1, '#'), "too_large"},
    };
}

TEST(HostileFiles, AreCheckedInATrice) {
    const test::TempDir dir;
    for (const Hostile& hostile : hostile_files()) {
        SCOPED_TRACE(hostile.name);
        const test::Checked checked = test::check_text(dir / "p.yml", hostile.text);
        EXPECT_LT(checked.took, test::kLongestCheck)
            << std::chrono::duration_cast<milliseconds>(checked.took).count() << "ms";
        EXPECT_LE(checked.read.problems.size(), limits::kConfigProblems + 1);
        EXPECT_LT(checked.said.size(), 300'000u);
        std::set<std::string> codes;
        for (const Problem& problem : checked.read.problems) codes.insert(problem.code);
        if (*hostile.code) {
            EXPECT_TRUE(codes.contains(hostile.code) || codes.contains(hostile.or_code))
                << checked.said.substr(0, 500);
        } else {
            if (test::kSanitized) codes.erase("slow_expressions");  // a warning
            EXPECT_TRUE(codes.empty()) << checked.said.substr(0, 500);
        }
    }
}

TEST(HostileFiles, WhatCannotBeReadIsSaid) {
    const test::TempDir dir;
    fs::permissions(dir.path(), fs::perms::all);
    std::ofstream(dir / "musher.yml") << "version: 1\npipelines: [ closed, open ]\n";
    fs::create_directories(dir / "closed");
    fs::create_directories(dir / "open");
    std::ofstream(dir / "open/p.yml") << kHead << kSteps;
    MUSHER_CHECK(::mkfifo((dir / "open/pipe.yml").c_str(), 0600) == 0);
    fs::permissions(dir / "open/p.yml", fs::perms::none);
    fs::permissions(dir / "closed", fs::perms::none);
    const auto refused = [&dir] {
        const Configuration read = read_configuration(dir / "musher.yml");
        std::fputs(render_problems(read.problems).c_str(), stderr);
        return read.problems.size() == 2 && read.problems[0].code == "unreadable" &&
               read.problems[0].at.line == 2 && read.problems[1].code == "unreadable" &&
               read.problems[1].message.ends_with("Permission denied");
    };
    EXPECT_TRUE(test::is_root() ? test::holds_as(test::kMusherUser, false, refused) : refused());
    fs::permissions(dir / "closed", fs::perms::owner_all);
}

TEST(HostileFiles, APipeIsNotWaitedFor) {
    const test::TempDir dir;
    fs::create_directories(dir / "pipelines");
    MUSHER_CHECK(::mkfifo((dir / "pipe").c_str(), 0600) == 0);
    std::ofstream(dir / "pipelines/p.yml") << kHead << "steps: [ seal: { key: !file ../pipe } ]\n";
    std::ofstream(dir / "musher.yml") << "version: 1\n";
    const auto refusal = [&dir](const char* file) {
        const Configuration read = read_configuration(dir / file);
        const bool one = read.problems.size() == 1;
        return one ? read.problems[0].code + " " + read.problems[0].message : "";
    };
    const std::string text = " is not a regular file";
    EXPECT_EQ(refusal("musher.yml"), "unreadable_file " + dir.path() + "/pipelines/../pipe" + text);
    EXPECT_EQ(refusal("pipe"), "unreadable " + dir.path() + "/pipe" + text);
}

}  // namespace
}  // namespace musher
