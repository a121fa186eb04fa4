// Everything one step needs to run for one job, with its options as they stand in YAML.
#pragma once

#include <gtest/gtest.h>

#include <fstream>

#include "pipelines/config/yaml.h"
#include "pipelines/expr/lua_sandbox.h"
#include "pipelines/expr/template.h"
#include "reactor/component/pool.h"
#include "reactor/component/step.h"
#include "tests/support/temp_dir.h"

namespace musher::test {

/// co_await close() at the end.
class StepBench {
  public:
    StepBench(Loop& loop, const Spec& spec, std::unique_ptr<Step> step)
        : loop_(loop), spec_(spec), step_(std::move(step)), pool_(loop) {
        event.source = "bench";
        event.facts = Json{{"name", "a b.txt"}, {"size", 3}};
        std::filesystem::create_directory(scratch_);
    }
    Task<void> close() { return pool_.close(); }

    /// Decodes and renders `yaml` by the step's own table, then runs it. A problem of the
    /// configuration is `usage`.
    Task<Result<StepResult>> run(std::string yaml) {
        MUSHER_CO_TRY(const Options options, render(yaml));
        StepContext context{loop_,    cancel,      event, job,
                            pipeline, id,          1,     body,
                            scratch_, connections, pool_, [](int, const std::string&) {}};
        co_return co_await step_->run(context, options);
    }
    /// The receipt as later steps see it, or the error's text.
    Task<Json> receipt(std::string yaml) {
        Result<StepResult> result = co_await run(std::move(yaml));
        if (!result) co_return Json(result.error().text());
        if (result->receipt) co_return result->receipt->to_json();
        co_return std::move(result->outputs);
    }
    Task<Error> error(std::string yaml) {
        const Result<StepResult> result = co_await run(std::move(yaml));
        EXPECT_FALSE(result.has_value());
        co_return result ? Error() : result.error();
    }
    void write_body(const std::string& bytes) {
        body.path = dir / "body";
        body.size = bytes.size();
        std::ofstream(body.path, std::ios::binary) << bytes;
    }

    TempDir dir;
    Cancel cancel;
    Event event;
    std::string job = "0190-job";
    std::string pipeline = "bench";
    std::string id = "step";
    Body body;
    Connections connections;
    Json env = Json::object();

  private:
    Result<Options> render(const std::string& yaml) {
        std::vector<Problem> problems;
        const auto value = parse_yaml(yaml, "bench.yml", problems);
        MUSHER_TRY(const std::shared_ptr<LuaSandbox> sandbox, LuaSandbox::create());
        const auto options = OptionsTemplate::compile(
            sandbox, spec_.options, value.value_or(Value()), spec_.name, problems);
        if (!problems.empty()) return fail(Errc::usage, problems.front().message);
        return options.render(Bindings{{"event", event.view()}, {"env", env}});
    }

    Loop& loop_;
    const Spec& spec_;
    std::unique_ptr<Step> step_;
    Pool pool_;
    std::string scratch_ = dir / "scratch";
};

}  // namespace musher::test
