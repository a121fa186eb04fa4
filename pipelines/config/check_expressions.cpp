#include "pipelines/config/check_expressions.h"

#include <fmt/format.h>

#include <map>
#include <optional>

#include "pipelines/config/problems.h"
#include "pipelines/config/samples.h"
#include "pipelines/config/tables.h"
#include "pipelines/expr/lua_sandbox.h"
#include "pipelines/expr/template.h"

namespace musher {

namespace {
/// Of the thread's own time, for the samples of one file.
constexpr Duration kBudget = std::chrono::milliseconds(300);

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
    void steps(const std::vector<StepConfig>& list);
    void tests();
    void options(const StepConfig& step);
    void leaf(const Option& option, const Value& value);
    std::optional<Json> bare(const Value& value, bool condition);
    void text(const Value& value);
    std::optional<Json> evaluate(const Expression& expression);
    bool within_budget(const Expression& expression);
    void refuse(const Expression& expression, const Error& error);
    bool comes_later(std::string_view unknown) const;

    const PipelineConfig& pipeline_;
    Samples samples_;
    std::map<std::string, std::optional<Json>> named_;  // of the step at hand
    std::shared_ptr<LuaSandbox> sandbox_;
    std::vector<Problem>& problems_;
    const Duration stop_ = thread_cpu_time() + kBudget;
    bool tired_ = false;  // the budget is spent: compile only
    bool blind_ = false;  // inside a loop, whose variable has no sample: compile only
};

void ExpressionCheck::run() {
    if (pipeline_.when) bare(*pipeline_.when, true);
    if (pipeline_.dedupe) bare(*pipeline_.dedupe, false);
    if (pipeline_.key) text(*pipeline_.key);
    samples_.enter_steps();
    steps(pipeline_.steps);
    tests();
    samples_.enter_on_failure();
    steps(pipeline_.on_failure);
}

void ExpressionCheck::steps(const std::vector<StepConfig>& list) {
    for (const StepConfig& step : list) {
        if (step.when) bare(*step.when, true);
        named_.clear();
        options(step);
        const std::map<std::string, std::optional<Json>> named = std::move(named_);
        const bool blind =
            std::exchange(blind_, blind_ || find_option(step.entry->spec.options, "as") != nullptr);
        for (const StepBranch& branch : step.branches) {
            if (branch.when) bare(*branch.when, true);
            steps(branch.steps);
        }
        blind_ = blind;
        samples_.add_step(step, named);
    }
}

/// What they expect of a job in the end, which has gone through all steps.
void ExpressionCheck::tests() {
    for (const TestCase& test : pipeline_.tests) {
        const Value* that = test.expect.find("that");
        if (!that) continue;
        if (!that->is(Value::Kind::list)) bare(*that, true);
        for (const Value& one : that->items) bare(one, true);
    }
}

void ExpressionCheck::options(const StepConfig& step) {
    for (const Option& option : step.entry->spec.options) {
        const Value* value = step.options.find(option.name);
        if (!value) continue;
        if (option.type == OptionType::expression) {
            bare(*value, false);
        } else if (option.type == OptionType::expression_map) {
            for (const Value::Entry& entry : value->entries) {
                named_[entry.key] = bare(entry.value, false);
            }
        } else if (option.templated) {
            leaf(option, *value);
        }
    }
}

void ExpressionCheck::leaf(const Option& option, const Value& value) {
    for (const Value& item : value.items) leaf(option, item);
    for (const Value::Entry& entry : value.entries) leaf(option, entry.value);
    if (value.is(Value::Kind::string)) text(value);
}

/// What it is for the sample event; nothing when that cannot be said.
std::optional<Json> ExpressionCheck::bare(const Value& value, bool condition) {
    const bool scalar =
        !value.is(Value::Kind::null) && !value.is(Value::Kind::list) && !value.is(Value::Kind::map);
    if (value.faulty || value.secret || !scalar) return std::nullopt;
    Position at = value.at;
    const auto expression = Expression::compile(sandbox_, value.text, value.content(), &at);
    if (!expression) {
        const bool quoted = value.text.find("${") != std::string::npos;
        add_error(
            problems_, at, "bad_expression", expression.error().message,
            quoted ? "here the expression stands alone, without ${ }" : expression.error().hint);
        return std::nullopt;
    }
    std::optional<Json> result = evaluate(*expression);
    if (!condition || !result || result->is_boolean()) return result;
    const std::string message = fmt::format("the condition `{}` is {}, not true or false",
                                            expression->text(), kind_of(*result));
    if (result->is_null()) {
        add_warning(problems_, value.at, "not_a_condition", message + ", for a sample event",
                    "compare it: … ~= nil");
    } else {
        add_error(problems_, value.at, "not_a_condition", message, "compare it with something");
    }
    return result;
}

void ExpressionCheck::text(const Value& value) {
    if (value.faulty || value.secret || value.text.find("${") == std::string::npos) return;
    Position at = value.at;
    const auto compiled = TextTemplate::compile(sandbox_, value.text, value.content(), &at);
    if (!compiled) {
        add_error(problems_, at, "bad_expression", compiled.error().message, compiled.error().hint);
        return;
    }
    for (const Expression* expression : compiled->expressions()) {
        const std::optional<Json> result = evaluate(*expression);
        if (!result || compiled->is_single()) continue;
        if (result->is_structured()) {
            add_error(problems_, expression->at(), "bad_expression",
                      fmt::format("`{}` is {}, which has no place inside a text",
                                  expression->text(), kind_of(*result)),
                      "json(…) writes it as text");
        }
    }
}

std::optional<Json> ExpressionCheck::evaluate(const Expression& expression) {
    if (blind_ || !within_budget(expression)) return std::nullopt;
    const Result<Json> result = expression.evaluate(samples_.bindings());
    if (result) return *result;
    refuse(expression, result.error());
    return std::nullopt;
}

/// Thousands of endless loops, each stopped in its time, are still endless.
bool ExpressionCheck::within_budget(const Expression& expression) {
    if (tired_) return false;
    tired_ = thread_cpu_time() > stop_;
    if (tired_) {
        add_warning(problems_, expression.at(), "slow_expressions",
                    "the file's expressions take long on a sample event",
                    "from here on they were only compiled");
    }
    return !tired_;
}

bool names_step(const std::vector<StepConfig>& steps, std::string_view unknown) {
    return std::any_of(steps.begin(), steps.end(), [&](const StepConfig& step) {
        if (unknown == "steps." + step.id || unknown == "steps[\"" + step.id + "\"]") return true;
        return std::any_of(
            step.branches.begin(), step.branches.end(),
            [&](const StepBranch& branch) { return names_step(branch.steps, unknown); });
    });
}

/// "unknown field event.siez in `event.siez > 0`" → "event.siez"; empty for other messages.
std::string_view unknown_part(std::string_view message) {
    for (const std::string_view prefix : {"unknown field ", "unknown name "}) {
        if (!message.starts_with(prefix)) continue;
        message.remove_prefix(prefix.size());
        return message.substr(0, message.find(" in `"));
    }
    return {};
}

void ExpressionCheck::refuse(const Expression& expression, const Error& error) {
    const std::string_view unknown = unknown_part(error.message);
    if (unknown.empty()) {
        add_warning(problems_, expression.at(), "fails_on_sample",
                    "on a sample event: " + error.message, error.hint);
        return;
    }
    if (samples_.is_open(unknown)) return;
    const std::size_t offset = expression.text().find(unknown);
    const Position at = offset == std::string::npos
                            ? expression.at()
                            : position_in(expression.at(), expression.text(), offset);
    add_error(problems_, at, "unknown_field", error.message,
              comes_later(unknown) ? "that step comes later" : error.hint);
}

/// Whether "steps.small" names a step of the file: then it has not run yet.
bool ExpressionCheck::comes_later(std::string_view unknown) const {
    return names_step(pipeline_.steps, unknown) || names_step(pipeline_.on_failure, unknown);
}
}  // namespace

void check_expressions(const PipelineConfig& pipeline, const DaemonConfig* daemon,
                       std::vector<Problem>& problems) {
    ExpressionCheck(pipeline, daemon, problems).run();
}

}  // namespace musher
