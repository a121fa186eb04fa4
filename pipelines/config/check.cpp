#include "pipelines/config/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "pipelines/config/check_expressions.h"
#include "pipelines/config/check_folders.h"
#include "pipelines/config/daemon_reader.h"
#include "pipelines/config/pipeline_reader.h"
#include "pipelines/config/yaml.h"

namespace musher {

namespace {

namespace fs = std::filesystem;

bool has_error(const std::vector<Problem>& problems, std::size_t from) {
    return std::any_of(problems.begin() + static_cast<std::ptrdiff_t>(from), problems.end(),
                       [](const Problem& p) { return p.severity == Problem::Severity::error; });
}

void add_problem(std::vector<Problem>& problems, const std::string& file, std::string code,
                 std::string message, std::string hint = "") {
    const auto name = std::make_shared<const std::string>(file);
    problems.push_back(Problem{Position{name, 0, 0}, Problem::Severity::error, std::move(code),
                               std::move(message), std::move(hint)});
}

/// *.yml and *.yaml, sorted; editors' own files begin with a dot or end in ~.
std::vector<std::string> yaml_files(const std::string& path, std::vector<Problem>& problems) {
    std::error_code failed;
    if (!fs::is_directory(path, failed)) {
        if (fs::exists(path, failed)) return {path};
        add_problem(problems, path, "not_found", "there is no such file or directory",
                    "create it, or change `pipelines` in musher.yml");
        return {};
    }
    std::vector<std::string> files;
    for (auto entry = fs::directory_iterator(path, failed); !failed && entry != fs::end(entry);
         entry.increment(failed)) {
        const std::string name = entry->path().filename().string();
        const std::string extension = entry->path().extension().string();
        if (name.front() == '.' || (extension != ".yml" && extension != ".yaml")) continue;
        files.push_back(entry->path().string());
    }
    if (failed) add_problem(problems, path, "unreadable_folder", failed.message());
    std::sort(files.begin(), files.end());
    return files;
}

/// Null when the file cannot be read or says nothing.
Value read_yaml(const std::string& file, std::string& text, std::vector<Problem>& problems) {
    auto read = read_config_text(file, problems);
    if (!read) return Value{};
    text = std::move(*read);
    return parse_yaml(text, file, problems).value_or(Value{});
}

std::optional<PipelineConfig> read_one(const std::string& file, const DaemonConfig* daemon,
                                       std::vector<Problem>& problems) {
    const std::size_t before = problems.size();
    std::string text;
    const Value tree = read_yaml(file, text, problems);
    if (has_error(problems, before) && tree.is(Value::Kind::null)) return std::nullopt;
    PipelineConfig config = read_pipeline_tree(tree, file, daemon, problems);
    config.text = std::move(text);
    static const DaemonConfig kNone;
    check_expressions(config, daemon ? *daemon : kNone, problems);
    if (has_error(problems, before)) return std::nullopt;
    return config;
}

void check_names(std::vector<PipelineConfig>& pipelines, std::vector<Problem>& problems) {
    std::map<std::string, std::string> files;
    std::erase_if(pipelines, [&](const PipelineConfig& config) {
        const auto [seen, fresh] = files.emplace(config.name, config.file);
        if (fresh) return false;
        add_problem(problems, config.file, "duplicate_pipeline",
                    fmt::format("the pipeline '{}' stands in {} already", config.name, seen->second),
                    "give one of them another name with `pipeline:`");
        return true;
    });
}

void sort_problems(std::vector<Problem>& problems) {
    std::stable_sort(problems.begin(), problems.end(), [](const Problem& a, const Problem& b) {
        static const std::string kNone;
        const std::string& left = a.at.file ? *a.at.file : kNone;
        const std::string& right = b.at.file ? *b.at.file : kNone;
        return std::tie(left, a.at.line, a.at.column) < std::tie(right, b.at.line, b.at.column);
    });
}

void read_all(const std::vector<std::string>& paths, const DaemonConfig* daemon,
              Configuration& out) {
    for (const std::string& path : paths) {
        for (const std::string& file : yaml_files(path, out.problems)) {
            auto config = read_one(fs::absolute(file).lexically_normal().string(), daemon,
                                   out.problems);
            if (config) out.pipelines.push_back(std::move(*config));
        }
    }
    check_names(out.pipelines, out.problems);
    check_folders(out.pipelines, out.problems);
    sort_problems(out.problems);
}

}  // namespace

bool Configuration::ok() const { return !has_error(problems, 0); }

Configuration read_configuration(const std::string& file) {
    Configuration out;
    const std::string path = fs::absolute(file).lexically_normal().string();
    std::string text;
    const Value tree = read_yaml(path, text, out.problems);
    if (has_error(out.problems, 0)) return out;
    out.daemon = read_daemon_tree(tree, path, out.problems);
    if (out.daemon.pipelines.empty() && out.ok()) {
        out.daemon.pipelines.push_back(
            (fs::path(path).parent_path() / "pipelines").string());
    }
    read_all(out.daemon.pipelines, &out.daemon, out);
    return out;
}

Configuration read_pipelines(const std::vector<std::string>& paths) {
    Configuration out;
    read_all(paths, nullptr, out);
    return out;
}

std::optional<PipelineConfig> read_pipeline(const std::string& file, const DaemonConfig& daemon,
                                            std::vector<Problem>& problems) {
    return read_one(file, &daemon, problems);
}

}  // namespace musher
