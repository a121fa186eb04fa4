// Understudy: stands in for a step in a test, and notes what was asked of it.
#pragma once

#include <memory>
#include <vector>

#include "pipelines/config/pipeline_file.h"
#include "pipelines/trial/record.h"

namespace musher {

/// The answers of one step, in turn; shared by all that play it.
class Answers {
  public:
    explicit Answers(std::vector<TestAnswer> answers) : answers_(std::move(answers)) {}
    /// The next call's; null when none is left.
    const TestAnswer* next();
    bool given() const { return !answers_.empty(); }

  private:
    std::vector<TestAnswer> answers_;
    std::size_t at_ = 0;
    int served_ = 0;
};

struct Role {
    std::shared_ptr<const StepConfig> config;  // with the entry of the real step
    std::shared_ptr<Answers> answers;
    std::shared_ptr<Record> record;
    std::string folder;  // of the pipeline file: where its relative paths begin
};

/// A pure step runs as itself and is watched; any other one touches nothing outside the job: it
/// answers what the test says, or else the samples of its fields. One that has answers is no
/// filter any more: the body changes only by what they say.
std::unique_ptr<Step> make_understudy(Role role);

}  // namespace musher
