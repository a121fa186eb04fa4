// Which program musher is, by the name that it was called by.
#include "pipelines/app/drop_in.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace musher {
namespace {

int count_arguments(int argc, char**) { return argc; }
int first_letter(int, char** argv) { return argv[1][0]; }
constexpr DropIn kSamples[] = {{"old-copy", count_arguments}, {"old-letter", first_letter}};

TEST(DropIn, IsFoundByTheLastPartOfItsPath) {
    for (const char* called : {"old-copy", "./old-copy", "/usr/local/bin/old-copy"}) {
        const DropIn* found = find_drop_in(called, kSamples);
        ASSERT_NE(found, nullptr) << called;
        EXPECT_EQ(found->name, "old-copy");
    }
}

TEST(DropIn, GetsTheArgumentsAndGivesTheExitCode) {
    std::string words[] = {"/opt/old-letter", "child"};
    char* argv[] = {words[0].data(), words[1].data(), nullptr};
    const DropIn* found = find_drop_in(argv[0], kSamples);
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->run(2, argv), 'c');
}

TEST(DropIn, OtherNamesAreMushersOwn) {
    for (const char* called : {"musher", "/usr/bin/musher", "old-copy2", "old-copy/", "old-copy/x",
                               "", "/", "exe"}) {
        EXPECT_EQ(find_drop_in(called, kSamples), nullptr) << called;
        EXPECT_EQ(find_drop_in(called), nullptr) << called;
    }
}

TEST(DropIn, NamesAreTakenOnce) {
    std::set<std::string_view> names;
    for (const DropIn& one : drop_ins()) {
        EXPECT_TRUE(names.insert(one.name).second) << one.name;
        EXPECT_NE(one.name, "musher");
        EXPECT_NE(one.run, nullptr) << one.name;
        EXPECT_FALSE(one.summary.empty()) << one.name;
    }
}

}  // namespace
}  // namespace musher
