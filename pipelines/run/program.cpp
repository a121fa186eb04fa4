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
                                               const std::vector<StepConfig>& configs);

Result<std::vector<ProgramBranch>> compile_branches(const Sandbox& sandbox,
                                                    const std::vector<StepBranch>& configs) {
    std::vector<ProgramBranch> branches;
    for (const StepBranch& config : configs) {
        ProgramBranch& branch = branches.emplace_back();
        branch.config = &config;
        MUSHER_TRY(branch.when, compile_bare(sandbox, config.when));
        MUSHER_TRY(branch.steps, compile_steps(sandbox, config.steps));
    }
    return branches;
}

bool any_uses_body(const ProgramStep& step) {
    bool uses = step.step->uses_body();
    for (const ProgramBranch& branch : step.branches) {
        for (const ProgramStep& inside : branch.steps) uses = uses || inside.uses_body;
    }
    return uses;
}

/// A switch and a try hand the body on to what stands behind them; the others give back the one
/// that they began with.
bool hands_on(Control control) { return control == Control::choose || control == Control::attempt; }

/// `later`: somebody behind the list reads the body or results.
void mark_readers(std::vector<ProgramStep>& steps, bool later) {
    for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
        step->last_reader = !later;
        for (ProgramBranch& branch : step->branches) {
            mark_readers(branch.steps, later && hands_on(step->control()));
        }
        later = later || step->uses_body || step->reads_results;
    }
}

Result<std::vector<ProgramStep>> compile_steps(const Sandbox& sandbox,
                                               const std::vector<StepConfig>& configs) {
    std::vector<ProgramStep> steps;
    for (const StepConfig& config : configs) {
        std::vector<Problem> problems;
        ProgramStep& step = steps.emplace_back();
        step.config = &config;
        step.step = config.entry->make();
        step.options = OptionsTemplate::compile(sandbox, config.entry->spec.options, config.options,
                                                config.kind, problems);
        MUSHER_DO(first_problem(problems));
        MUSHER_TRY(step.when, compile_bare(sandbox, config.when));
        step.reads_results =
            names_results(config.options) || (config.when && names_results(*config.when));
        MUSHER_TRY(step.branches, compile_branches(sandbox, config.branches));
        step.uses_body = any_uses_body(step);
    }
    return steps;
}
}  // namespace

const std::vector<ProgramStep>& ProgramStep::inside(std::string_view option) const {
    static const std::vector<ProgramStep> kNone;
    for (const ProgramBranch& branch : branches) {
        if (branch.config->option == option) return branch.steps;
    }
    return kNone;
}

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
    program->source_options_ = OptionsTemplate::compile(
        sandbox, own.source->spec.options, own.source_options, own.source_kind, problems);
    MUSHER_DO(first_problem(problems));
    MUSHER_TRY(program->steps_, compile_steps(sandbox, own.steps));
    MUSHER_TRY(program->on_failure_, compile_steps(sandbox, own.on_failure));
    mark_readers(program->steps_, false);
    mark_readers(program->on_failure_, false);
    return std::shared_ptr<const Program>(std::move(program));
}

}  // namespace musher
