#include "pipelines/config/check.h"

#include <fmt/format.h>

#include <filesystem>

#include "pipelines/config/check_expressions.h"
#include "pipelines/config/check_folders.h"
#include "pipelines/config/daemon_reader.h"
#include "pipelines/config/pipeline_reader.h"
#include "pipelines/config/problems.h"
#include "pipelines/config/yaml.h"

namespace musher {

namespace {
namespace fs = std::filesystem;

/// A path as it is named to people: what they wrote, from the working directory on.
std::string shown_path(const fs::path& path) { return path.lexically_normal().string(); }

std::string absolute_path(const std::string& shown) {
    std::error_code failed;
    const fs::path path = fs::absolute(shown, failed);
    return (failed ? fs::path(shown) : path).lexically_normal().string();
}

/// One file's text and tree.
struct Source {
    std::string shown;
    std::string text;
    Value root;
};
std::optional<Source> read_source(const std::string& shown, Secrets secrets,
                                  std::vector<Problem>& problems) {
    std::optional<std::string> text = read_config_text(shown, problems);
    if (!text) return std::nullopt;
    std::optional<Value> root = parse_yaml(*text, shown, problems, secrets);
    if (!root) return std::nullopt;
    return Source{shown, std::move(*text), std::move(*root)};
}

class ConfigurationReader {
  public:
    explicit ConfigurationReader(const Catalogue& catalogue, Secrets secrets = Secrets::read)
        : catalogue_(catalogue), secrets_(secrets) {}

    void read_settings(const Source& source);
    void read_settings_file(const std::string& shown);
    void read_daemon(const Source& source);
    void read_daemon_file(const std::string& shown);
    void read_path(const std::string& shown);
    Configuration finish();
    /// Without what only shows when all pipelines are looked at together.
    Configuration finish_each();

  private:
    void read_listed(const std::string& shown, const Position& at);
    void read_pipeline_source(Source source);
    void drop_faulty();

    const Catalogue& catalogue_;
    Secrets secrets_;
    Configuration result_;
    bool has_daemon_ = false;
    std::set<std::string> seen_;  // absolute paths of pipeline files
};

void ConfigurationReader::read_daemon_file(const std::string& shown) {
    if (auto source = read_source(shown_path(shown), secrets_, result_.problems)) {
        read_daemon(*source);
    }
}

void ConfigurationReader::read_settings(const Source& source) {
    result_.daemon = read_daemon_tree(source.root, absolute_path(source.shown), result_.problems);
    result_.daemon.shown = source.shown;
    result_.daemon.text = source.text;
    has_daemon_ = true;
}

void ConfigurationReader::read_settings_file(const std::string& shown) {
    if (auto source = read_source(shown_path(shown), secrets_, result_.problems))
        read_settings(*source);
}

void ConfigurationReader::read_daemon(const Source& source) {
    read_settings(source);
    const Value* written = source.root.find("pipelines");
    const fs::path folder = fs::path(source.shown).parent_path();
    if (!written) {
        if (result_.daemon.pipelines.empty()) return;  // of another version
        return read_listed(shown_path(folder / "pipelines"), source.root.at);
    }
    std::vector<Value> paths = written->items;
    if (!written->is(Value::Kind::list)) paths.push_back(*written);
    for (const Value& path : paths) {
        const bool text = path.is(Value::Kind::string) && !path.faulty && !path.text.empty();
        if (text) read_listed(shown_path(folder / path.text), path.at);
    }
}

void ConfigurationReader::read_listed(const std::string& shown, const Position& at) {
    for (const std::string& file : list_pipeline_files(shown, at, result_.problems)) {
        if (auto source = read_source(file, secrets_, result_.problems)) {
            read_pipeline_source(std::move(*source));
        }
    }
}

void ConfigurationReader::read_path(const std::string& path) {
    const std::string shown = shown_path(path);
    std::error_code failed;
    const Position at{std::make_shared<const std::string>(shown), 0, 0};
    if (fs::is_directory(shown, failed)) return read_listed(shown, at);
    auto source = read_source(shown, secrets_, result_.problems);
    if (!source) return;
    is_daemon_tree(source->root) ? read_daemon(*source) : read_pipeline_source(std::move(*source));
}

void ConfigurationReader::read_pipeline_source(Source source) {
    if (!seen_.insert(absolute_path(source.shown)).second) return;  // named twice
    const Reading reading{catalogue_, has_daemon_ ? &result_.daemon : nullptr, result_.problems,
                          secrets_};
    PipelineConfig config = read_pipeline_tree(source.root, absolute_path(source.shown), reading);
    config.shown = source.shown;
    config.text = std::move(source.text);
    check_expressions(config, reading.daemon, result_.problems);
    result_.pipelines.push_back(std::move(config));
}

/// A pipeline is as good as its file: whatever is reported in it counts, also from outside.
void ConfigurationReader::drop_faulty() {
    std::set<std::string> faulty;
    for (const Problem& problem : result_.problems) {
        const bool error = problem.severity == Problem::Severity::error;
        if (error && problem.at.file) faulty.insert(*problem.at.file);
    }
    std::erase_if(result_.pipelines,
                  [&](const PipelineConfig& pipeline) { return faulty.contains(pipeline.shown); });
}

Configuration ConfigurationReader::finish() {
    check_together(result_.pipelines, result_.problems);
    return finish_each();
}

Configuration ConfigurationReader::finish_each() {
    check_own_files(result_.daemon, result_.pipelines, result_.problems);
    sort_problems(result_.problems);
    drop_faulty();
    return std::move(result_);
}

bool is_pipeline_file(const fs::directory_entry& entry) {
    const std::string name = entry.path().filename().string();
    const bool yaml = name.ends_with(".yml") || name.ends_with(".yaml");
    // .#a.yml and #a.yml# are Emacs', .a.yml.swp is vim's; ..data is Kubernetes'.
    const bool temporary = name.front() == '.' || name.front() == '#' || name.front() == '~';
    std::error_code failed;
    // Opening a pipe would wait for its writer.
    return yaml && !temporary && !entry.is_directory(failed) && !entry.is_other(failed);
}
}  // namespace

bool Configuration::ok() const { return !has_errors(problems); }

std::vector<std::string> list_pipeline_files(const std::string& path, const Position& at,
                                             std::vector<Problem>& problems) {
    std::error_code failed;
    if (fs::is_regular_file(path, failed)) return {path};
    std::vector<std::string> files;
    for (fs::directory_iterator entry(path, failed), end; !failed && entry != end;
         entry.increment(failed)) {
        if (is_pipeline_file(*entry)) files.push_back(shown_path(entry->path()));
    }
    if (failed) {
        add_error(problems, at, "unreadable",
                  fmt::format("cannot read pipelines from {}: {}", path, failed.message()),
                  "`pipelines` names a directory, or a list of directories and files");
    }
    std::sort(files.begin(), files.end());
    return files;
}

namespace {
/// `musher test --update` writes them, each as its own.
void check_goldens(const std::vector<PipelineConfig>& pipelines, std::vector<Problem>& problems) {
    std::map<std::string, std::string> taken;  // by path
    for (const PipelineConfig& pipeline : pipelines) {
        taken.emplace(pipeline.file, fmt::format("the file of the pipeline `{}`", pipeline.name));
    }
    std::set<std::string_view> seen;
    for (const PipelineConfig& pipeline : pipelines) {
        if (!seen.insert(pipeline.file).second) continue;
        for (const TestCase& test : pipeline.tests) {
            if (test.golden.empty()) continue;
            const auto [first, fresh] = taken.emplace(
                test.golden, fmt::format("the golden file of the test `{}`", test.name));
            if (fresh) continue;
            add_error(problems, test.golden_at, "bad_test",
                      fmt::format("`golden` names {}", first->second),
                      "each test has a golden file of its own");
        }
    }
}
}  // namespace

void check_together(const std::vector<PipelineConfig>& pipelines, std::vector<Problem>& problems) {
    std::map<std::string_view, const PipelineConfig*> named;
    for (const PipelineConfig& pipeline : pipelines) {
        if (pipeline.name.empty()) continue;
        const auto [first, fresh] = named.emplace(pipeline.name, &pipeline);
        if (fresh || first->second->file == pipeline.file) continue;
        add_error(problems, pipeline.name_at, "duplicate_pipeline",
                  fmt::format("two pipelines are named `{}`", pipeline.name),
                  fmt::format("the other one is in {}", place_text(first->second->name_at)));
    }
    check_folders(pipelines, problems);
    check_goldens(pipelines, problems);
}

Configuration read_configuration(const std::string& file, const Catalogue& catalogue) {
    ConfigurationReader reader(catalogue);
    reader.read_daemon_file(file);
    return reader.finish();
}

Configuration read_each(const std::string& file, const Catalogue& catalogue) {
    ConfigurationReader reader(catalogue);
    reader.read_daemon_file(file);
    return reader.finish_each();
}

Configuration read_pipelines(const std::vector<std::string>& paths, const Catalogue& catalogue,
                             const std::string& daemon_file, Secrets secrets) {
    ConfigurationReader reader(catalogue, secrets);
    if (!daemon_file.empty()) reader.read_settings_file(daemon_file);
    for (const std::string& path : paths) reader.read_path(path);
    return reader.finish();
}

}  // namespace musher
