// What the tests of http_get have in common.
#pragma once

#include "pipelines/steps/http_get.h"
#include "tests/support/step_bench.h"

namespace musher::test {

/// What later steps see; an empty map, and a failed test, after an error.
inline Task<Json> fields_of(StepBench& bench, std::string yaml) {
    Result<StepResult> result = co_await bench.run(std::move(yaml));
    EXPECT_TRUE(result.has_value()) << result.error().text();
    if (!result) co_return Json::object();
    co_return std::move(result->outputs);
}

inline StepBench bench_of(Loop& loop) { return StepBench(loop, http_get_spec(), make_http_get()); }

}  // namespace musher::test
