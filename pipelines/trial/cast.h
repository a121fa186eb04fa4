// Cast: a pipeline whose steps are played for a test.
#pragma once

#include <deque>
#include <memory>

#include "pipelines/config/pipeline_file.h"
#include "pipelines/trial/record.h"

namespace musher {

/// Owns what the pipeline's steps are made by: keep it as long as a Program of config().
class Cast {
  public:
    /// Steps that run other steps stay themselves. Where a secret was left unread, a test key or a
    /// made-up text stands.
    Cast(const PipelineConfig& pipeline, const TestCase& test, std::shared_ptr<Record> record);
    Cast(const Cast&) = delete;

    const PipelineConfig& config() const { return config_; }

  private:
    void assign(std::vector<StepConfig>& steps, const TestCase& test);

    PipelineConfig config_;
    std::shared_ptr<Record> record_;
    std::deque<StepEntry> entries_;
};

}  // namespace musher
