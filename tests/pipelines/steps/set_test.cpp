// set: values keep their types.
#include "pipelines/steps/set.h"

#include <gtest/gtest.h>

#include "tests/support/run_loop.h"
#include "tests/support/step_bench.h"

namespace musher {
namespace {

Task<void> values(Loop& loop) {
    test::StepBench bench(loop, set_spec(), make_set());
    const Json got = co_await bench.receipt(
        "values: { half: event.size / 2, big: event.size > 2, name: 'event.name:upper()', "
        "list: '{event.size, nil ~= 1}', none: nil, five: 5 }");
    const Json expected{{"half", 1.5},       {"big", true},
                        {"name", "A B.TXT"}, {"list", Json::array({3, true})},
                        {"none", nullptr},   {"five", 5}};
    EXPECT_EQ(got, expected);
    const Error error = co_await bench.error("values: { a: 1, b: event.siez }");
    EXPECT_EQ(error.text(),
              "option values: bench.yml:1:20: unknown field event.siez in `event.siez`");
    co_await bench.close();
}
TEST(Set, WorksOutValues) { test::on_loop(values); }

}  // namespace
}  // namespace musher
