// Program: one revision of a pipeline, compiled: what intake and runner execute.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "pipelines/config/pipeline_file.h"
#include "pipelines/expr/template.h"

namespace musher {

struct ProgramBranch;

struct ProgramStep {
    const StepConfig* config = nullptr;  // points into the Program's own config
    std::unique_ptr<Step> step;
    OptionsTemplate options;
    std::optional<Expression> when;
    std::vector<ProgramBranch> branches;  // of control steps, as in the config
    bool reads_results = false;  // an expression of it, or of a step inside, may name body or steps
    bool uses_body = false;      // so does it, or a step inside
    bool last_reader = false;    // nobody behind it looks at the body or at results

    Control control() const { return config->entry->spec.control; }
    /// A sink, or a step that asks a server: what is there can be broken, and the item whole.
    bool reaches_out() const { return config->sink || config->entry->spec.asks_server; }
    /// Those of its option `steps`, `rescue`, …; none when it was left out.
    const std::vector<ProgramStep>& inside(std::string_view option) const;
};

struct ProgramBranch {
    const StepBranch* config = nullptr;
    std::optional<Expression> when;  // of a case
    std::vector<ProgramStep> steps;
};

/// Immutable and shared by all attempts that run on it. Loop thread only.
class Program {
  public:
    /// `usage` with the first problem when something does not compile; `check` shows them all.
    static Result<std::shared_ptr<const Program>> compile(PipelineConfig config, int revision);

    const PipelineConfig& config() const { return config_; }
    int revision() const { return revision_; }
    const std::optional<Expression>& when() const { return when_; }
    const std::optional<TextTemplate>& key() const { return key_; }
    const std::optional<Expression>& dedupe() const { return dedupe_; }
    /// The steps of a job, or of an on_failure job.
    const std::vector<ProgramStep>& steps(bool on_failure) const {
        return on_failure ? on_failure_ : steps_;
    }
    const Options& source_options() const { return source_options_.fixed(); }

  private:
    Program() = default;
    PipelineConfig config_;
    int revision_ = 0;
    std::optional<Expression> when_, dedupe_;
    std::optional<TextTemplate> key_;
    OptionsTemplate source_options_;
    std::vector<ProgramStep> steps_, on_failure_;
};

}  // namespace musher
