// Every seed, and whatever the fuzzer once found, through its target: without libFuzzer, each day.
#include <gtest/gtest.h>

#include "tests/fuzz/targets.h"
#include "tests/support/tree.h"

namespace musher::fuzz {
namespace {

class Corpus : public testing::TestWithParam<Target> {};

TEST_P(Corpus, IsTaken) {
    const Target& target = GetParam();
    const std::string folder = "tests/fuzz/corpus/" + std::string(target.name);
    const std::vector<std::string> names = test::names_in(folder);
    ASSERT_FALSE(names.empty()) << folder;
    for (const std::string& name : names) {
        SCOPED_TRACE(name);
        target.run(test::file_text(folder + "/" + name));
    }
    target.run("");
}

INSTANTIATE_TEST_SUITE_P(Fuzz, Corpus, testing::ValuesIn(kTargets),
                         [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace musher::fuzz
