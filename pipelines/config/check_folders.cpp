#include "pipelines/config/check_folders.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "pipelines/config/folder_use.h"
#include "pipelines/config/problems.h"

namespace musher {

namespace {
/// A file that one pipeline writes and another one, or itself, takes.
struct Edge {
    std::size_t from;
    std::size_t to;
    const WrittenFolder* written;
    const WatchedFolder* watched;
};

class FolderGraph {
  public:
    FolderGraph(const std::vector<PipelineConfig>& pipelines, std::vector<Problem>& problems);
    void report_circles();
    void report_shared();

  private:
    void report_way_back(const WrittenFolder& written, const WatchedFolder& watched);
    void report_circle(const Edge& edge);
    /// Those that may see a file in that folder: few, of thousands.
    std::vector<std::size_t> watchers_of(const std::string& folder) const;
    /// The edges of a shortest way, empty when there is none.
    std::vector<const Edge*> way(std::size_t from, std::size_t to) const;

    const std::vector<PipelineConfig>& pipelines_;
    std::vector<Problem>& problems_;
    std::vector<FolderUse> uses_;
    std::map<std::string, std::vector<std::size_t>> watching_;  // by path
    std::vector<std::vector<Edge>> edges_;                      // by `from`
};

FolderGraph::FolderGraph(const std::vector<PipelineConfig>& pipelines,
                         std::vector<Problem>& problems)
    : pipelines_(pipelines), problems_(problems), edges_(pipelines.size()) {
    for (const PipelineConfig& pipeline : pipelines) uses_.push_back(folder_use(pipeline));
    for (std::size_t i = 0; i < uses_.size(); ++i) {
        if (uses_[i].watched) watching_[uses_[i].watched->path].push_back(i);
    }
    for (std::size_t from = 0; from < uses_.size(); ++from) {
        for (const WrittenFolder& written : uses_[from].written) {
            for (const std::size_t to : watchers_of(written.path)) {
                const WatchedFolder& watched = *uses_[to].watched;
                if (from == to && written.aside) {
                    report_way_back(written, watched);
                    continue;
                }
                if (!feeds(written, watched)) continue;
                edges_[from].push_back(Edge{from, to, &written, &watched});
            }
        }
    }
}

/// The source waits while it is so: a link may be gone when musher runs.
void FolderGraph::report_way_back(const WrittenFolder& written, const WatchedFolder& watched) {
    const auto told = [&written](const Problem& one) {
        return one.at.file == written.at.file && one.at.line == written.at.line &&
               one.at.column == written.at.column;
    };
    if (written.path != watched.path || std::any_of(problems_.begin(), problems_.end(), told)) {
        return;
    }
    add_warning(problems_, written.at, "circle",
                fmt::format("`{}` leads back to the watched folder {}", written.by, watched.path),
                "its files would be taken again: remove the symlink");
}

std::vector<std::size_t> FolderGraph::watchers_of(const std::string& folder) const {
    std::vector<std::size_t> found;
    // The folder itself, then every folder above it.
    for (std::string path = folder; !path.empty(); path.resize(path.rfind('/'))) {
        const auto here = watching_.find(path);
        if (here != watching_.end()) {
            found.insert(found.end(), here->second.begin(), here->second.end());
        }
    }
    if (const auto root = watching_.find("/"); root != watching_.end() && folder != "/") {
        found.insert(found.end(), root->second.begin(), root->second.end());
    }
    return found;
}

std::vector<const Edge*> FolderGraph::way(std::size_t from, std::size_t to) const {
    std::map<std::size_t, const Edge*> reached;  // by the edge that came there first
    std::deque<std::size_t> front{from};
    while (!front.empty() && !reached.contains(to)) {
        for (const Edge& edge : edges_[front.front()]) {
            if (reached.emplace(edge.to, &edge).second) front.push_back(edge.to);
        }
        front.pop_front();
    }
    std::vector<const Edge*> edges;
    if (!reached.contains(to)) return edges;
    for (std::size_t at = to; edges.empty() || at != from; at = edges.back()->from) {
        edges.push_back(reached.at(at));
    }
    std::reverse(edges.begin(), edges.end());
    return edges;
}

void FolderGraph::report_circles() {
    for (const std::vector<Edge>& edges : edges_) {
        for (const Edge& edge : edges) report_circle(edge);
    }
}

void FolderGraph::report_circle(const Edge& edge) {
    const std::string& name = pipelines_[edge.from].name;
    std::string watches =
        fmt::format("{} is watched in {}", edge.watched->path, place_text(edge.watched->at));
    if (edge.from == edge.to) {
        add_error(
            problems_, edge.written->at, "circle",
            fmt::format("`{}` writes into the folder that this pipeline watches", edge.written->by),
            watches + "; write to another one");
        return;
    }
    const std::vector<const Edge*> back = way(edge.to, edge.from);
    if (back.empty()) return;
    std::string names = name;
    for (const Edge* step : back) {
        names += " → " + pipelines_[step->from].name;
        watches += fmt::format(", {} in {}", step->watched->path, place_text(step->watched->at));
    }
    add_error(
        problems_, edge.written->at, "circle",
        fmt::format("`{}` sends files round in a circle: {} → {}", edge.written->by, names, name),
        watches);
}

void FolderGraph::report_shared() {
    for (std::size_t i = 0; i < uses_.size(); ++i) {
        if (!uses_[i].watched) continue;
        for (const std::size_t j : watchers_of(uses_[i].watched->path)) {
            const bool same_folder = uses_[i].watched->path == uses_[j].watched->path;
            // Of two that watch one folder, the later one is told.
            if (j == i || (same_folder && j > i)) continue;
            const WatchedFolder& mine = *uses_[i].watched;
            const WatchedFolder& other = *uses_[j].watched;
            if (!share_files(mine, other)) continue;
            add_error(problems_, mine.at, "shared_folder",
                      fmt::format("the pipelines {} and {} would take the same files of {}",
                                  pipelines_[j].name, pipelines_[i].name, mine.path),
                      fmt::format("the other one is {}; give each its own folder, or `match` that "
                                  "exclude each other",
                                  place_text(other.at)));
        }
    }
}
}  // namespace

void check_folders(const std::vector<PipelineConfig>& pipelines, std::vector<Problem>& problems) {
    FolderGraph graph(pipelines, problems);
    graph.report_circles();
    graph.report_shared();
}

namespace {
/// Where musher's own files lie: one for each folder, with the names of all that are in it.
std::map<std::string, WrittenFolder> own_folders(const DaemonConfig& daemon,
                                                 const std::vector<PipelineConfig>& pipelines) {
    std::map<std::string, WrittenFolder> own;
    const auto add = [&own](const std::string& file) {
        const auto [at, fresh] = own.try_emplace(file.substr(0, file.rfind('/')));
        add_file(at->second, file);
    };
    for (const PipelineConfig& pipeline : pipelines) add(pipeline.file);
    if (daemon.file.empty()) return own;
    add(daemon.file);
    if (daemon.log_to.starts_with('/')) add(daemon.log_to);
    // One of each kind that the state folder holds.
    for (const char* file : {"VERSION", "redis/appendonlydir/appendonly.aof.manifest",
                             "revisions/pipeline/0001.yml"}) {
        add(daemon.state + "/" + file);
    }
    return own;
}
}  // namespace

void check_own_files(const DaemonConfig& daemon, const std::vector<PipelineConfig>& pipelines,
                     std::vector<Problem>& problems) {
    const auto own = own_folders(daemon, pipelines);
    for (const PipelineConfig& pipeline : pipelines) {
        const std::optional<WatchedFolder> watched = folder_use(pipeline).watched;
        if (!watched) continue;
        const auto taken = std::find_if(own.begin(), own.end(), [&](const auto& one) {
            return takes_away(one.second, *watched);
        });
        if (taken == own.end()) continue;
        add_error(problems, watched->at, "own_files",
                  fmt::format("the hot folder {} would take musher's own files in {}",
                              watched->path, taken->second.path),
                  "watch another folder, or narrow `match`");
    }
}

}  // namespace musher
