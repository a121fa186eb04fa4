// A pipeline file or a musher.yml: bytes → YAML → tables → expressions → what people read of it.
#include <string>

#include "pipelines/config/daemon_reader.h"
#include "pipelines/config/problems.h"
#include "pipelines/config/yaml.h"
#include "pipelines/run/program.h"
#include "tests/fuzz/targets.h"
#include "tests/support/checked_text.h"
#include "tests/support/problem_places.h"
#include "tests/support/temp_dir.h"

namespace musher::fuzz {

namespace {
/// What was said fits the file, and goes to a terminal without steering it.
void look_at(const std::vector<Problem>& problems, const std::string& text,
             const std::string& said) {
    const std::string misplaced = test::misplaced(problems, text);
    if (!misplaced.empty()) std::fprintf(stderr, "%s\n", misplaced.c_str());
    MUSHER_CHECK(misplaced.empty());
    for (const char c : said) MUSHER_CHECK(static_cast<unsigned char>(c) >= 0x20 || c == '\n');
    MUSHER_CHECK(problems_to_json(problems).at("problems").size() == problems.size());
}

/// A musher.yml alone: what its `pipelines` names lies outside of the bytes.
void read_settings(const Value& root, const std::string& text, std::vector<Problem> problems) {
    const DaemonConfig config = read_daemon_tree(root, "/srv/musher/musher.yml", problems);
    sort_problems(problems);
    look_at(problems, text, render_problems(problems));
    if (!has_errors(problems)) MUSHER_CHECK(config.state.starts_with('/'));
}
}  // namespace

void configuration(std::string_view bytes) {
    static const test::TempDir dir;
    const std::string text(bytes);
    const std::string file = dir / "p.yml";
    std::vector<Problem> problems;
    const std::optional<Value> root = parse_yaml(text, file, problems);
    if (root && is_daemon_tree(*root)) return read_settings(*root, text, std::move(problems));
    const test::Checked checked = test::check_text(file, text);
    look_at(checked.read.problems, text, checked.said);
    MUSHER_CHECK(checked.read.ok() || !checked.read.problems.empty());
    for (const PipelineConfig& config : checked.read.pipelines) {
        MUSHER_CHECK(Program::compile(config, 1).has_value());
    }
}

}  // namespace musher::fuzz
