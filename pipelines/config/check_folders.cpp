#include "pipelines/config/check_folders.h"

#include <fmt/format.h>

#include <filesystem>
#include <set>

namespace musher {

namespace {

namespace fs = std::filesystem;

struct Outlet {
    std::size_t pipeline;
    std::string path;
    Position at;
};

struct Inlet {
    std::string path;
    bool recursive = false;
    Position at;
};

/// Absolute and without links where it exists; a path that is a template is not known.
std::string known_path(const PipelineConfig& config, const Value* value) {
    if (!value || value->text.empty() || value->text.find("${") != std::string::npos) return "";
    fs::path path = value->text;
    if (path.is_relative()) path = fs::path(config.folder) / path;
    std::error_code failed;
    const fs::path resolved = fs::weakly_canonical(path, failed);
    std::string text = (failed ? path.lexically_normal() : resolved).string();
    while (text.size() > 1 && text.back() == '/') text.pop_back();
    return text;
}

Inlet inlet_of(const PipelineConfig& config) {
    Inlet inlet;
    const Value* path = config.source_options.find("path");
    if (config.source_kind != "hotfolder" || !path) return inlet;
    inlet.path = known_path(config, path);
    inlet.at = path->at;
    const Value* recursive = config.source_options.find("recursive");
    inlet.recursive = recursive && recursive->boolean;
    return inlet;
}

bool reads(const Inlet& inlet, const std::string& folder) {
    if (inlet.path.empty() || folder.empty()) return false;
    return folder == inlet.path || (inlet.recursive && folder.rfind(inlet.path + "/", 0) == 0);
}

class Graph {
  public:
    Graph(const std::vector<PipelineConfig>& pipelines, std::vector<Problem>& problems)
        : pipelines_(pipelines), problems_(problems) {
        for (std::size_t i = 0; i < pipelines.size(); ++i) {
            inlets_.push_back(inlet_of(pipelines[i]));
            collect(i, pipelines[i].steps);
            collect(i, pipelines[i].on_failure);
        }
    }
    void report_cycles();
    void report_shared_inlets();

  private:
    void collect(std::size_t pipeline, const std::vector<StepConfig>& steps);
    bool leads_to(std::size_t from, std::size_t target, std::set<std::size_t>& seen) const;

    const std::vector<PipelineConfig>& pipelines_;
    std::vector<Problem>& problems_;
    std::vector<Inlet> inlets_;
    std::vector<Outlet> outlets_;
};

void Graph::collect(std::size_t pipeline, const std::vector<StepConfig>& steps) {
    for (const StepConfig& step : steps) {
        const Value* to = step.kind == "directory" ? step.options.find("to") : nullptr;
        const std::string path = known_path(pipelines_[pipeline], to);
        if (!path.empty()) outlets_.push_back(Outlet{pipeline, path, to->at});
    }
}

bool Graph::leads_to(std::size_t from, std::size_t target, std::set<std::size_t>& seen) const {
    if (from == target) return true;
    if (!seen.insert(from).second) return false;
    for (const Outlet& outlet : outlets_) {
        if (outlet.pipeline != from) continue;
        for (std::size_t next = 0; next < inlets_.size(); ++next) {
            if (reads(inlets_[next], outlet.path) && leads_to(next, target, seen)) return true;
        }
    }
    return false;
}

void Graph::report_cycles() {
    for (const Outlet& outlet : outlets_) {
        for (std::size_t next = 0; next < inlets_.size(); ++next) {
            std::set<std::size_t> seen;
            if (!reads(inlets_[next], outlet.path) || !leads_to(next, outlet.pipeline, seen)) {
                continue;
            }
            problems_.push_back(Problem{
                outlet.at, Problem::Severity::error, "cycle",
                fmt::format("what is written to {} is read again by the hot folder of '{}' ({}:{})",
                            outlet.path, pipelines_[next].name, *inlets_[next].at.file,
                            inlets_[next].at.line),
                "write to a folder that no pipeline on the way watches"});
        }
    }
}

void Graph::report_shared_inlets() {
    for (std::size_t i = 0; i < inlets_.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j) {
            if (inlets_[i].path.empty() || inlets_[i].path != inlets_[j].path) continue;
            const Value* mine = pipelines_[i].source_options.find("match");
            const Value* other = pipelines_[j].source_options.find("match");
            if (mine && other && mine->to_json(true) != other->to_json(true)) continue;
            problems_.push_back(Problem{
                inlets_[i].at, Problem::Severity::error, "shared_folder",
                fmt::format("'{}' watches {} already ({}:{}); each file would go to either",
                            pipelines_[j].name, inlets_[i].path, *inlets_[j].at.file,
                            inlets_[j].at.line),
                "give each pipeline a folder of its own, or different `match` patterns"});
        }
    }
}

}  // namespace

void check_folders(const std::vector<PipelineConfig>& pipelines, std::vector<Problem>& problems) {
    Graph graph(pipelines, problems);
    graph.report_cycles();
    graph.report_shared_inlets();
}

}  // namespace musher
