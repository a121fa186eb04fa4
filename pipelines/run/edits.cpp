#include "pipelines/run/edits.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "pipelines/config/problems.h"
#include "reactor/base/fd.h"
#include "sources/file_sample.h"
#include "sources/lease_probe.h"

namespace musher {

namespace {
bool is_error(const Problem& problem) { return problem.severity == Problem::Severity::error; }

void add_steps(const std::vector<StepConfig>& steps, std::string& text) {
    for (const StepConfig& step : steps) {
        text += to_line(step.options.to_json(true));
        for (const StepBranch& branch : step.branches) add_steps(branch.steps, text);
    }
}

std::string fingerprint(const PipelineConfig& config) {
    std::string all = config.text + '\0' + to_line(config.source_options.to_json(true));
    add_steps(config.steps, all);
    add_steps(config.on_failure, all);
    return all;
}

/// Its text, what was put into it from outside, and where its source connects to. Steps take the
/// connections of musher.yml as they find them.
bool same_pipeline(const PipelineConfig& a, const PipelineConfig& b) {
    return fingerprint(a) == fingerprint(b) && a.connections == b.connections;
}

std::string file_of(const Problem& problem) { return problem.at.file ? *problem.at.file : ""; }

/// Puts what runs first, so that a fault of two files together is found in the one that is new.
class Judge {
  public:
    Judge(Configuration read, const std::vector<PipelineConfig>& running)
        : read_(std::move(read)), running_(running) {}
    Edits judge();

  private:
    const PipelineConfig* before(const std::string& shown) const {
        for (const PipelineConfig& config : running_) {
            if (config.shown == shown) return &config;
        }
        return nullptr;
    }
    void refuse(const std::string& shown, const Problem& problem);
    bool settle_together();

    Configuration read_;
    const std::vector<PipelineConfig>& running_;
    Edits edits_;
    std::vector<PipelineConfig> kept_;  // as they run, or the same text again
    std::vector<PipelineConfig> edited_;
};

void Judge::refuse(const std::string& shown, const Problem& problem) {
    edits_.refused.emplace(shown, problem);
    std::erase_if(edited_, [&](const PipelineConfig& one) { return one.shown == shown; });
    const PipelineConfig* old = before(shown);
    const bool there = std::any_of(kept_.begin(), kept_.end(),
                                   [&](const PipelineConfig& one) { return one.shown == shown; });
    if (old && !there) kept_.push_back(*old);
}

/// One fault of all together is taken out; true when there was none.
bool Judge::settle_together() {
    std::vector<PipelineConfig> all = kept_;
    all.insert(all.end(), edited_.begin(), edited_.end());
    std::vector<Problem> problems;
    check_together(all, problems);
    const auto fault = std::find_if(problems.begin(), problems.end(), is_error);
    if (fault == problems.end() || edited_.empty()) {
        for (PipelineConfig& config : kept_) {
            edits_.pipelines.push_back(Edits::One{std::move(config), false});
        }
        for (PipelineConfig& config : edited_) {
            edits_.pipelines.push_back(Edits::One{std::move(config), true});
        }
        return true;
    }
    const std::string shown = file_of(*fault);
    const bool newcomer =
        std::any_of(edited_.begin(), edited_.end(),
                    [&](const PipelineConfig& one) { return one.shown == shown; });
    refuse(newcomer ? shown : std::string(edited_.front().shown), *fault);
    return false;
}

Edits Judge::judge() {
    edits_.daemon = std::move(read_.daemon);
    std::map<std::string, Problem> alone;  // faults that a file has by itself
    for (const Problem& problem : read_.problems) {
        if (is_error(problem)) alone.emplace(file_of(problem), problem);
    }
    const auto daemon = alone.find(edits_.daemon.shown);
    edits_.daemon_sound = daemon == alone.end() && !edits_.daemon.file.empty();
    if (!edits_.daemon_sound) {
        for (const PipelineConfig& config : running_) {
            edits_.pipelines.push_back(Edits::One{config, false});
        }
        edits_.refused = std::move(alone);
        return std::move(edits_);
    }
    for (PipelineConfig& config : read_.pipelines) {
        const PipelineConfig* old = before(config.shown);
        const bool same = old && same_pipeline(*old, config);
        (same ? kept_ : edited_).push_back(std::move(config));
    }
    for (const auto& [shown, problem] : alone) refuse(shown, problem);
    while (!settle_together()) {
    }
    return std::move(edits_);
}

void add_row(const std::string& path, ConfigSample& sample) {
    struct stat status{};
    const Result<Fd> file = Fd::open(path, O_RDONLY | O_NONBLOCK);
    if (!file || ::fstat(file->get(), &status) != 0) {
        sample.rows.emplace_back(path, 0, 0, 0, 0, 0);
        return;
    }
    const hotfolder::FileSample now = hotfolder::sample_of(status);
    sample.rows.emplace_back(path, now.dev, now.ino, now.size, now.mtime_ns, now.ctime_ns);
    const hotfolder::ReadLease lease(file->get());
    if (lease.answer() == hotfolder::LeaseAnswer::writers) sample.writers = true;
}
}  // namespace

bool same_source(const PipelineConfig& a, const PipelineConfig& b) {
    return a.source == b.source && a.folder == b.folder && a.connections == b.connections &&
           a.source_options.to_json(true) == b.source_options.to_json(true);
}

Edits read_edits(const std::string& file, const std::vector<PipelineConfig>& running) {
    return Judge(read_each(file), running).judge();
}

ConfigSample sample_config(const DaemonConfig& daemon) {
    ConfigSample sample;
    add_row(daemon.file, sample);
    std::vector<Problem> ignored;  // read_edits tells them
    for (const std::string& path : daemon.pipelines) {
        const Position at{std::make_shared<const std::string>(daemon.file), 0, 0};
        for (const std::string& file : list_pipeline_files(path, at, ignored)) {
            add_row(file, sample);
        }
    }
    return sample;
}

}  // namespace musher
