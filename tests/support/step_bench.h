// Everything one step needs to run for one job, with its options as they stand in YAML.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "pipelines/config/yaml.h"
#include "pipelines/expr/lua_sandbox.h"
#include "pipelines/expr/template.h"
#include "reactor/component/pool.h"
#include "reactor/component/step.h"
#include "reactor/filters/chain.h"
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
        StepContext around = context();
        co_return co_await step_->run(around, options);
    }
    /// Of a sink that takes filters: the receipt, or the error's text.
    Task<Json> receipt_filtered(std::string yaml, std::vector<std::unique_ptr<Filter>>& filters) {
        const Result<Options> options = render(yaml);
        if (!options) co_return Json(options.error().text());
        StepContext around = context();
        const Result<StepResult> result = co_await step_->run_filtered(around, *options, filters);
        if (!result) co_return Json(result.error().text());
        co_return result->receipt->to_json();
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
    /// Of a filter step: the body through it; `outputs` are what later steps see.
    Task<Result<std::string>> filtered(std::string yaml) {
        MUSHER_CO_TRY(const Options options, render(yaml));
        std::vector<std::unique_ptr<Filter>> filters;
        MUSHER_CO_TRY(filters.emplace_back(), step_->filter(options));
        const std::string target = dir / "filtered";
        Chain chain(loop_, filters);
        MUSHER_CO_TRY(const ChainResult made,
                      co_await chain.file_to_file(body.path, target, cancel));
        outputs = filters.front()->result();
        std::ifstream file(target, std::ios::binary);
        std::ostringstream content;
        content << file.rdbuf();
        EXPECT_EQ(content.str().size(), made.bytes_out);
        co_return content.str();
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
    Json outputs = Json::object();
    std::vector<int> percents;  // of its progress

  private:
    StepContext context() {
        const auto progress = [this](int percent, const std::string&) {
            percents.push_back(percent);
        };
        return StepContext{loop_, cancel, event,    job,         pipeline, id,      id,
                           1,     body,   scratch_, connections, pool_,    progress};
    }
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
