// Configuration that was changed at random: checking it neither crashes nor lasts, what is said of
// it has its place in it, and what is let pass compiles and pleases editors.
// The same 4,000 files every time; MUSHER_MUTATIONS=FROM:TO looks at others.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <random>
#include <sstream>

#include "pipelines/config/describe.h"
#include "pipelines/config/json_schema.h"
#include "pipelines/config/yaml.h"
#include "pipelines/run/program.h"
#include "tests/support/checked_text.h"
#include "tests/support/json_schema_check.h"
#include "tests/support/problem_places.h"
#include "tests/support/temp_dir.h"

namespace musher {
namespace {

namespace fs = std::filesystem;

/// Nearly valid files and, for every one of them, a valid one to begin with.
std::vector<std::string> seeds() {
    std::vector<std::string> texts;
    for (const auto& entry : fs::recursive_directory_iterator("tests/golden")) {
        const bool yaml = entry.path().extension() == ".yml" && entry.is_regular_file();
        if (!yaml) continue;
        std::ostringstream text;
        text << std::ifstream(entry.path()).rdbuf();
        texts.push_back(text.str());
    }
    std::sort(texts.begin(), texts.end());
    const std::vector<const Spec*> specs = all_specs();
    const std::size_t count = texts.size();
    for (std::size_t i = 0; i < count; ++i) texts.emplace_back(specs[i % specs.size()]->example);
    return texts;
}

std::string repeated(std::size_t times, std::string_view piece) {
    std::string all;
    for (std::size_t i = 0; i < times; ++i) all += piece;
    return all;
}

class Mutator {
  public:
    explicit Mutator(unsigned seed) : random_(seed) {}

    std::string mutate(std::string text, const std::vector<std::string>& others) {
        for (std::size_t i = 1 + below(3); i > 0; --i) change(text, others[below(others.size())]);
        return text;
    }
    std::size_t below(std::size_t bound) {
        return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random_);
    }

  private:
    static constexpr std::string_view kPieces[] = {
        "${", "}", "\"", "'", "|", ">", "&a ", "*a", "<<: ", "- ", ": ", "[", "]", "{", "{ ",
        "!", "!env X", "!!str ", "\t", "\n", "\r\n", "  ", "\xff", "\xc3", "\x01", "ä", "日", "#",
        "---\n", "%YAML 1.2\n", "99999999999999999999", "-1", "1.5", "null", "~", "true", "1d",
        "4KiB", "..", "event.", "steps.", "not ", "\\", "\\x", "? ", "@", "`", ",", "$${", "nil"};

    void change(std::string& text, const std::string& other) {
        const std::size_t at = below(text.size() + 1);
        const std::size_t size = below(20);
        switch (below(7)) {
            case 0:
                text.erase(at, size);
                break;
            case 1:
                if (at < text.size()) text[at] = static_cast<char>(below(256));
                break;
            case 2:
                text.insert(at, text.substr(below(text.size() + 1), size));
                break;
            case 3:
                text.insert(at, other.substr(below(other.size() + 1), below(80)));
                break;
            case 4:
                text.resize(at);
                break;
            case 5:
                text.insert(at, repeated(1 + below(70), kPieces[below(std::size(kPieces))]));
                break;
            default:
                text.insert(at, kPieces[below(std::size(kPieces))]);
        }
    }
    std::mt19937 random_;
};

/// What `check` lets pass compiles, and editors let it pass too.
void expect_sound(const Configuration& read, const std::string& text, const Json& schema) {
    for (const PipelineConfig& config : read.pipelines) {
        const auto program = Program::compile(config, 1);
        EXPECT_TRUE(program) << program.error().text();
    }
    std::vector<Problem> problems;
    const auto root = parse_yaml(text, "p.yml", problems);
    const bool pipeline = root && root->find("steps") && read.pipelines.size() == 1;
    if (!pipeline || text.find('!') != std::string::npos) return;
    EXPECT_EQ(test::schema_fault(schema, root->to_json(true)), "");
}

TEST(MutatedFiles, NeitherCrashNorLastNorLie) {
    const test::TempDir dir;
    const std::vector<std::string> texts = seeds();
    const Json schema = pipeline_schema();
    const char* wanted = std::getenv("MUSHER_MUTATIONS");
    unsigned seed = 0;
    unsigned end = 4000;
    ASSERT_TRUE(!wanted || std::sscanf(wanted, "%u:%u", &seed, &end) == 2) << "FROM:TO";
    int sound = 0;
    for (; seed < end && !testing::Test::HasFailure(); ++seed) {
        Mutator mutator(seed);
        const std::string text = mutator.mutate(texts[mutator.below(texts.size())], texts);
        SCOPED_TRACE(fmt::format("seed {}:\n{}", seed, text));
        const test::Checked checked = test::check_text(dir / "p.yml", text);
        EXPECT_LT(checked.took, test::kLongestCheck);
        EXPECT_EQ(test::misplaced(checked.read.problems, text), "");
        const auto steers = [](char c) {
            return static_cast<unsigned char>(c) < 0x20 && c != '\n';
        };
        EXPECT_TRUE(std::none_of(checked.said.begin(), checked.said.end(), steers)) << checked.said;
        if (checked.read.ok()) expect_sound(checked.read, text, schema);
        if (checked.read.ok()) ++sound;
    }
    RecordProperty("sound", std::to_string(sound));
    EXPECT_TRUE(wanted || sound > 50) << sound << " of them had no fault";
}

}  // namespace
}  // namespace musher
