#include "pipelines/config/check_expressions.h"

#include "pipelines/expr/lua_sandbox.h"
#include "pipelines/expr/template.h"

namespace musher {

namespace {

class Checker {
  public:
    Checker(std::shared_ptr<LuaSandbox> sandbox, Bindings sample, std::vector<Problem>& problems)
        : sandbox_(std::move(sandbox)), sample_(std::move(sample)), problems_(problems) {}

    void bare(const std::optional<Value>& value, bool condition);
    void text(const std::optional<Value>& value);
    void steps(const std::vector<StepConfig>& steps);
    void options(const std::vector<Option>& table, const Value& map, std::string_view what);

  private:
    void report(const Position& at, const Error& error) {
        problems_.push_back(Problem{at, Problem::Severity::error, "bad_expression", error.message,
                                    error.hint});
    }
    std::shared_ptr<LuaSandbox> sandbox_;
    Bindings sample_;
    std::vector<Problem>& problems_;
};

void Checker::bare(const std::optional<Value>& value, bool condition) {
    if (!value) return;
    const auto compiled = Expression::compile(sandbox_, value->text, value->at);
    if (!compiled) return report(value->at, compiled.error());
    if (condition) {
        if (const auto tested = compiled->test(sample_); !tested) report(value->at, tested.error());
    } else if (const auto result = compiled->evaluate(sample_); !result) {
        report(value->at, result.error());
    }
}

void Checker::text(const std::optional<Value>& value) {
    if (!value) return;
    const auto compiled = TextTemplate::compile(sandbox_, value->text, value->at);
    if (!compiled) return report(value->at, compiled.error());
    if (const auto result = compiled->render(sample_); !result) report(value->at, result.error());
}

void Checker::options(const std::vector<Option>& table, const Value& map, std::string_view what) {
    std::vector<Problem> found;
    const OptionsTemplate compiled = OptionsTemplate::compile(sandbox_, table, map, what, found);
    bool broken = false;
    for (Problem& problem : found) {
        // decode()'s own findings were reported when the file was read.
        if (problem.code != "bad_expression") continue;
        broken = true;
        problems_.push_back(std::move(problem));
    }
    if (broken || !found.empty()) return;
    if (const auto rendered = compiled.render(sample_); !rendered) {
        report(map.at, rendered.error());
    }
}

/// What a finished step shows, for the steps behind it.
Json sample_outputs(const Spec& spec, const std::string& id) {
    Json outputs = Json::object();
    for (const Field& field : spec.fields) outputs[std::string(field.name)] = field.sample;
    if (spec.kind == ComponentKind::sink) {
        outputs.update(Json{{"step", id},
                            {"sink", spec.name},
                            {"target", "/somewhere"},
                            {"bytes", 1000},
                            {"sha256", std::string(64, '0')},
                            {"time", "2026-01-01T00:00:00.000Z"}});
    }
    return outputs;
}

void Checker::steps(const std::vector<StepConfig>& steps) {
    for (const StepConfig& step : steps) {
        bare(step.when, true);
        options(step.entry->spec.options, step.options, step.kind);
        sample_["steps"][step.id] = sample_outputs(step.entry->spec, step.id);
    }
    sample_["steps"] = Json::object();
}

Bindings sample_bindings(const PipelineConfig& config, const DaemonConfig& daemon) {
    Json event{{"id", "0190f5d8-0000-7000-8000-000000000000"},
               {"source", config.name},
               {"key", ""},
               {"time", "2026-01-01T00:00:00.000Z"},
               {"date", "2026-01-01"}};
    for (const Field& field : config.source->spec.fields) {
        event[std::string(field.name)] = field.sample;
    }
    return Bindings{{"event", std::move(event)},
                    {"job",
                     {{"id", "0190f5d8-0000-7000-8000-000000000000"},
                      {"attempt", 1},
                      {"pipeline", config.name},
                      {"error", "a sample error"}}},
                    {"steps", Json::object()},
                    {"body", {{"size", 1000}, {"sha256", std::string(64, '0')}}},
                    {"env", daemon.environment},
                    {"vars", daemon.vars},
                    {"now", "2026-01-01T00:00:00.000Z"}};
}

}  // namespace

void check_expressions(const PipelineConfig& config, const DaemonConfig& daemon,
                       std::vector<Problem>& problems) {
    if (!config.source) return;
    auto sandbox = LuaSandbox::create();
    MUSHER_CHECK(sandbox.has_value());
    Checker checker(std::move(*sandbox), sample_bindings(config, daemon), problems);
    checker.bare(config.when, true);
    checker.text(config.key);
    checker.bare(config.dedupe, false);
    checker.options(config.source->spec.options, config.source_options, config.source_kind);
    checker.steps(config.steps);
    checker.steps(config.on_failure);
}

}  // namespace musher
