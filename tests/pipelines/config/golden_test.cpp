// What people are told about wrong configuration, word for word. A folder in tests/golden/config/
// (components made up for it) or tests/golden/components/ (the built-in ones) holds a case's files,
// expected.txt, and `modes` where permissions matter ("0644 key"). It is checked in a copy, whose
// path reads FOLDER in expected.txt. MUSHER_UPDATE_GOLDEN=1 writes expected.txt anew.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "pipelines/config/check.h"
#include "pipelines/config/render_error.h"
#include "tests/support/sample_catalogue.h"
#include "tests/support/temp_dir.h"

namespace musher {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = fs::absolute("tests/golden");

std::string read_file(const fs::path& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

/// "config/tab", "components/key_file_open_to_others", …
std::vector<std::string> case_names() {
    std::vector<std::string> names;
    for (const char* kind : {"config", "components"}) {
        for (const auto& entry : fs::directory_iterator(kRoot / kind)) {
            names.push_back(fmt::format("{}/{}", kind, entry.path().filename().string()));
        }
    }
    std::sort(names.begin(), names.end());
    return names;
}

class Golden : public testing::TestWithParam<std::string> {
  protected:
    void SetUp() override {
        ::setenv("MUSHER_TEST_SECRET", "hunter2", 1);
        ::setenv("MUSHER_TEST_DATABASE", "postgresql://me:hunter2@db/shop", 1);
        fs::copy(kRoot / GetParam(), folder_.path(),
                 fs::copy_options::recursive | fs::copy_options::copy_symlinks);
        std::ifstream modes(folder_ / "modes");
        std::string mode;
        for (std::string name; modes >> mode >> name;) {
            fs::permissions(folder_ / name, static_cast<fs::perms>(std::stoi(mode, nullptr, 8)));
        }
        fs::current_path(folder_.path());  // positions name files as seen from here
    }
    void TearDown() override { fs::current_path(kRoot); }

    Configuration read() const {
        const bool made_up = GetParam().starts_with("config/");
        const Catalogue& catalogue = made_up ? test::sample_catalogue() : full_catalogue();
        return fs::exists("musher.yml") ? read_configuration("musher.yml", catalogue)
                                        : read_pipelines({"."}, catalogue);
    }

    /// What is said, with FOLDER for the copy's path.
    std::string rendered(const Configuration& read) const {
        std::string said = read.problems.empty() ? "ok\n" : render_problems(read.problems);
        const std::string& path = folder_.path();
        for (std::size_t at = said.find(path); at != said.npos; at = said.find(path, at)) {
            said.replace(at, path.size(), "FOLDER");
        }
        return said;
    }

    test::TempDir folder_;
};

/// The lines of two texts, with - before what was expected and + before what was said instead.
std::string difference(const std::string& expected, const std::string& said) {
    std::istringstream left(expected);
    std::istringstream right(said);
    std::vector<std::string> a;
    std::vector<std::string> b;
    for (std::string line; std::getline(left, line);) a.push_back(line);
    for (std::string line; std::getline(right, line);) b.push_back(line);
    std::size_t same = 0;
    while (same < a.size() && same < b.size() && a[same] == b[same]) ++same;
    while (a.size() > same && b.size() > same && a.back() == b.back()) {
        a.pop_back();
        b.pop_back();
    }
    std::string text;
    for (std::size_t i = same; i < a.size(); ++i) text += fmt::format("- {}\n", a[i]);
    for (std::size_t i = same; i < b.size(); ++i) text += fmt::format("+ {}\n", b[i]);
    return fmt::format("from line {} on:\n{}", same + 1, text);
}

TEST_P(Golden, SaysWhatIsWrong) {
    const Configuration read = this->read();
    const std::string said = rendered(read);
    const fs::path golden = kRoot / GetParam() / "expected.txt";
    if (std::getenv("MUSHER_UPDATE_GOLDEN")) std::ofstream(golden) << said;
    const std::string expected = read_file(golden);
    EXPECT_TRUE(said == expected) << difference(expected, said);
    EXPECT_EQ(said.find("hunter2"), std::string::npos) << "a secret was shown";
    const Json json = problems_to_json(read.problems);
    EXPECT_EQ(json["ok"], Json(read.ok()));
    EXPECT_EQ(json["problems"].size(), read.problems.size());
    for (const Json& problem : json["problems"]) {
        EXPECT_EQ(problem.size(), 7u);
        EXPECT_NE(problem["code"], Json(""));
    }
}

INSTANTIATE_TEST_SUITE_P(Config, Golden, testing::ValuesIn(case_names()), [](const auto& param) {
    std::string name = param.param;
    std::replace(name.begin(), name.end(), '/', '_');
    return name;
});

TEST(GoldenCases, ThereAreEnough) { EXPECT_GE(case_names().size(), 90u); }

}  // namespace
}  // namespace musher
