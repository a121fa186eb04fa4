// What people are told about wrong configuration, word for word: tests/golden/config/NAME/ holds
// the files and expected.txt. MUSHER_UPDATE_GOLDEN=1 writes the latter anew.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "pipelines/config/check.h"
#include "pipelines/config/render_error.h"
#include "tests/support/sample_catalogue.h"

namespace musher {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = fs::absolute("tests/golden/config");

std::string read_file(const fs::path& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

std::vector<std::string> case_names() {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(kRoot)) {
        names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
}

class Golden : public testing::TestWithParam<std::string> {
  protected:
    void SetUp() override {
        ::setenv("MUSHER_TEST_SECRET", "hunter2", 1);
        fs::current_path(kRoot / GetParam());  // positions name files as seen from here
    }
    void TearDown() override { fs::current_path(kRoot); }
};

TEST_P(Golden, SaysWhatIsWrong) {
    const bool daemon = fs::exists("musher.yml");
    const Configuration read = daemon ? read_configuration("musher.yml", test::sample_catalogue())
                                      : read_pipelines({"."}, test::sample_catalogue());
    const std::string said = read.problems.empty() ? "ok\n" : render_problems(read.problems);
    if (std::getenv("MUSHER_UPDATE_GOLDEN")) std::ofstream("expected.txt") << said;
    EXPECT_EQ(said, read_file("expected.txt"));
    EXPECT_EQ(said.find("hunter2"), std::string::npos) << "a secret was shown";
    const Json json = problems_to_json(read.problems);
    EXPECT_EQ(json["ok"], Json(read.ok()));
    EXPECT_EQ(json["problems"].size(), read.problems.size());
    for (const Json& problem : json["problems"]) {
        EXPECT_EQ(problem.size(), 7u);
        EXPECT_NE(problem["code"], Json(""));
    }
}

INSTANTIATE_TEST_SUITE_P(Config, Golden, testing::ValuesIn(case_names()),
                         [](const auto& param) { return param.param; });

TEST(GoldenCases, ThereAreEnough) { EXPECT_GE(case_names().size(), 40u); }

}  // namespace
}  // namespace musher
