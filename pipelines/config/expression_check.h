// ExpressionCheck: one pipeline's expressions, each evaluated on what it would see in its place,
// and whether each step finds a body that it can read.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pipelines/config/body_use.h"
#include "pipelines/config/samples.h"
#include "pipelines/expr/lua_sandbox.h"
#include "pipelines/expr/template.h"

namespace musher {

/// Of one pipeline; once.
class ExpressionCheck {
  public:
    ExpressionCheck(const PipelineConfig& pipeline, const DaemonConfig* daemon,
                    std::vector<Problem>& problems)
        : pipeline_(pipeline),
          samples_(pipeline, daemon),
          sandbox_(LuaSandbox::create().value()),
          problems_(problems) {}

    void run();

  private:
    /// Of the thread's own time, for the samples of one file.
    static constexpr Duration kBudget = std::chrono::milliseconds(300);

    // The way through the tree of steps; check_steps.cpp.
    void steps(const std::vector<StepConfig>& list);
    void tests();
    void inside(const StepConfig& step);
    void read_body(const StepConfig& step);
    void pass(BodyState body);
    void branches(const StepConfig& step);
    void loop(const StepConfig& step);
    std::optional<Json> element(const StepConfig& step, std::string_view as);
    void wait(const StepConfig& step);
    void show(const StepConfig& step, const std::map<std::string, std::optional<Json>>& named,
              std::initializer_list<const char*> but);

    // One expression; check_expressions.cpp.
    void options(const StepConfig& step);
    void leaf(const Option& option, const Value& value);
    std::optional<Json> bare(const Value& value, bool condition);
    void text(const Value& value);
    std::optional<Json> evaluate(const Expression& expression);
    bool within_budget(const Expression& expression);
    void refuse(const Expression& expression, const Error& error);
    std::string whereabouts(std::string_view unknown) const;

    const PipelineConfig& pipeline_;
    Samples samples_;
    BodyState body_;
    std::map<std::string, std::optional<Json>> named_;  // of the step at hand
    std::shared_ptr<LuaSandbox> sandbox_;
    std::vector<Problem>& problems_;
    const Duration stop_ = thread_cpu_time() + kBudget;
    bool tired_ = false;                // the budget is spent: compile only
    std::vector<std::string> loops_;    // names of the elements of the loops around
    std::vector<std::string> unknown_;  // those without a sample: what names them is compiled only
    std::set<std::string> seen_;        // ids of steps that were looked at
    int beside_ = 0;                    // how many `parallel` steps are around
};

}  // namespace musher
