#include "pipelines/config/check_expressions.h"

#include <fmt/format.h>

#include "pipelines/config/expression_check.h"
#include "pipelines/config/problems.h"
#include "pipelines/config/tables.h"

namespace musher {

void ExpressionCheck::options(const StepConfig& step) {
    for (const Option& option : step.entry->spec.options) {
        const Value* value = step.options.find(option.name);
        if (!value) continue;
        if (option.type == OptionType::expression) {
            // `in` and `until` have a turn of their own.
            if (step.entry->spec.control == Control::none) bare(*value, false);
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
    const bool blind = std::any_of(unknown_.begin(), unknown_.end(), [&](const std::string& name) {
        return mentions(expression.text(), name);
    });
    if (blind || !within_budget(expression)) return std::nullopt;
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

namespace {
const StepConfig* step_named(const std::vector<StepConfig>& steps, std::string_view unknown) {
    for (const StepConfig& step : steps) {
        const bool named = unknown == "steps." + step.id || unknown == "steps[\"" + step.id + "\"]";
        if (named) return &step;
        for (const StepBranch& branch : step.branches) {
            if (const StepConfig* inner = step_named(branch.steps, unknown)) return inner;
        }
    }
    return nullptr;
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
}  // namespace

void ExpressionCheck::refuse(const Expression& expression, const Error& error) {
    const std::string_view unknown = unknown_part(error.message);
    if (unknown.empty()) {
        if (samples_.looks_into_open(expression.text())) return;
        add_warning(problems_, expression.at(), "fails_on_sample",
                    "on a sample event: " + error.message, error.hint);
        return;
    }
    if (samples_.is_open(unknown)) return;
    const std::size_t offset = expression.text().find(unknown);
    const Position at = offset == std::string::npos
                            ? expression.at()
                            : position_in(expression.at(), expression.text(), offset);
    const std::string where = whereabouts(unknown);
    add_error(problems_, at, "unknown_field", error.message, where.empty() ? error.hint : where);
}

/// Why "steps.small" is not seen from here, if the file has a step of that name; who gives a
/// digest.
std::string ExpressionCheck::whereabouts(std::string_view unknown) const {
    if (unknown == "body.sha256") return "a checksum computes it, for the steps behind it";
    const StepConfig* step = step_named(pipeline_.steps, unknown);
    if (!step) step = step_named(pipeline_.on_failure, unknown);
    if (!step) return {};
    if (seen_.contains(step->id)) return "that step is inside a loop or another branch";
    return beside_ > 0 ? "that step comes later, or runs at the same time"
                       : "that step comes later";
}

void check_expressions(const PipelineConfig& pipeline, const DaemonConfig* daemon,
                       std::vector<Problem>& problems) {
    ExpressionCheck(pipeline, daemon, problems).run();
}

}  // namespace musher
