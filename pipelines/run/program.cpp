#include "pipelines/run/program.h"

#include "pipelines/expr/lua_sandbox.h"

namespace musher {

namespace {
using Sandbox = std::shared_ptr<LuaSandbox>;

Result<std::optional<Expression>> compile_bare(const Sandbox& sandbox,
                                               const std::optional<Value>& value) {
    if (!value) return std::optional<Expression>();
    MUSHER_TRY(Expression compiled, Expression::compile(sandbox, value->text, value->at));
    return std::optional<Expression>(std::move(compiled));
}

Result<void> first_problem(const std::vector<Problem>& problems) {
    for (const Problem& problem : problems) {
        if (problem.severity != Problem::Severity::error) continue;
        return fail(Errc::usage,
                    (problem.at.file ? *problem.at.file : std::string()) + ":" +
                        std::to_string(problem.at.line) + ": " + problem.message,
                    problem.hint);
    }
    return {};
}

/// Whether an expression may look at what pending filters have yet to produce. Errs towards yes.
bool names_results(const Value& value) {
    if (value.text.find("body") != std::string::npos) return true;
    if (value.text.find("steps") != std::string::npos) return true;
    for (const Value& item : value.items) {
        if (names_results(item)) return true;
    }
    for (const Value::Entry& entry : value.entries) {
        if (names_results(entry.value)) return true;
    }
    return false;
}

Result<std::vector<ProgramStep>> compile_steps(const Sandbox& sandbox,
                                               const std::vector<StepConfig>& configs) {
    std::vector<ProgramStep> steps;
    for (const StepConfig& config : configs) {
        std::vector<Problem> problems;
        ProgramStep& step = steps.emplace_back();
        step.config = &config;
        step.step = config.entry->make();
        step.options = OptionsTemplate::compile(sandbox, config.entry->spec.options,
                                                config.options, config.kind, problems);
        MUSHER_DO(first_problem(problems));
        MUSHER_TRY(step.when, compile_bare(sandbox, config.when));
        step.reads_results =
            names_results(config.options) || (config.when && names_results(*config.when));
    }
    return steps;
}
}  // namespace

Result<std::shared_ptr<const Program>> Program::compile(PipelineConfig config, int revision) {
    MUSHER_TRY(const Sandbox sandbox, LuaSandbox::create());
    std::shared_ptr<Program> program(new Program());
    program->config_ = std::move(config);
    program->revision_ = revision;
    const PipelineConfig& own = program->config_;
    MUSHER_TRY(program->when_, compile_bare(sandbox, own.when));
    MUSHER_TRY(program->dedupe_, compile_bare(sandbox, own.dedupe));
    if (own.key) {
        MUSHER_TRY(program->key_, TextTemplate::compile(sandbox, own.key->text, own.key->at));
    }
    std::vector<Problem> problems;
    program->source_options_ =
        OptionsTemplate::compile(sandbox, own.source->spec.options, own.source_options,
                                 own.source_kind, problems);
    MUSHER_DO(first_problem(problems));
    MUSHER_TRY(program->steps_, compile_steps(sandbox, own.steps));
    MUSHER_TRY(program->on_failure_, compile_steps(sandbox, own.on_failure));
    return std::shared_ptr<const Program>(std::move(program));
}

}  // namespace musher
