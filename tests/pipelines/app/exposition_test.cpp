// Prometheus' text format, to the letter.
#include "pipelines/app/exposition.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>

namespace musher {
namespace {

using Type = Exposition::Type;

TEST(Exposition, AFamilyAndItsSamples) {
    Exposition out;
    out.family("jobs_total", Type::counter, "Jobs.");
    out.sample({{"pipeline", "a"}}, 3);
    out.sample({{"pipeline", "b"}, {"state", "dead"}}, 0.5);
    out.single("up", Type::gauge, "Whether.", 1);
    EXPECT_EQ(out.text(),
              "# HELP jobs_total Jobs.\n# TYPE jobs_total counter\n"
              "jobs_total{pipeline=\"a\"} 3\njobs_total{pipeline=\"b\",state=\"dead\"} 0.5\n"
              "# HELP up Whether.\n# TYPE up gauge\nup 1\n");
}

TEST(Exposition, Escapes) {
    Exposition out;
    out.family("x", Type::gauge, "a \"quote\", a \\ and\na line");
    out.sample({{"l", "a \"quote\", a \\ and\na line"}}, 1);
    out.sample({{"l", "\xff"}}, 2);
    EXPECT_EQ(out.text(),
              "# HELP x a \"quote\", a \\\\ and\\na line\n# TYPE x gauge\n"
              "x{l=\"a \\\"quote\\\", a \\\\ and\\na line\"} 1\nx{l=\"%FF\"} 2\n");
}

TEST(Exposition, Numbers) {
    Exposition out;
    out.family("x", Type::gauge, "h");
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    for (const double value : {0.1, 1e21, 123456789.0, -1.5, kInfinity, -kInfinity,
                               std::numeric_limits<double>::quiet_NaN()}) {
        out.sample({}, value);
    }
    EXPECT_EQ(out.text(),
              "# HELP x h\n# TYPE x gauge\nx 0.1\nx 1e+21\nx 123456789\nx -1.5\nx +Inf\nx -Inf\n"
              "x NaN\n");
}

TEST(Exposition, BucketsAreCumulated) {
    static constexpr std::array kBounds = {0.01, 1.0};
    Histogram spans(kBounds);
    for (const int ms : {10, 11, 1000, 1001, 2000}) spans.add(std::chrono::milliseconds(ms));
    Exposition out;
    out.family("s", Type::histogram, "h");
    out.sample({{"p", "a"}}, spans);
    EXPECT_EQ(out.text(),
              "# HELP s h\n# TYPE s histogram\ns_bucket{p=\"a\",le=\"0.01\"} 1\n"
              "s_bucket{p=\"a\",le=\"1\"} 3\ns_bucket{p=\"a\",le=\"+Inf\"} 5\n"
              "s_sum{p=\"a\"} 4.022\ns_count{p=\"a\"} 5\n");
}

}  // namespace
}  // namespace musher
