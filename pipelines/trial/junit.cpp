#include "pipelines/trial/junit.h"

#include <fmt/format.h>

#include "reactor/base/text.h"

namespace musher {

namespace {
/// Text for XML 1.0, which has no way to write most control characters.
std::string escaped(const std::string& text) {
    std::string safe;
    for (const char c : is_utf8(text) ? text : escape_bytes(text)) {
        const auto byte = static_cast<unsigned char>(c);
        switch (c) {
            case '&':
                safe += "&amp;";
                break;
            case '<':
                safe += "&lt;";
                break;
            case '>':
                safe += "&gt;";
                break;
            case '"':
                safe += "&quot;";
                break;
            case '\n':
                safe += "&#10;";
                break;
            case '\t':
                safe += "&#9;";
                break;
            default:
                if (byte >= 0x20) safe += c;
                if (byte < 0x20) safe += "?";
        }
    }
    // U+FFFE and U+FFFF are no characters of XML either.
    for (const std::string_view odd : {"\xef\xbf\xbe", "\xef\xbf\xbf"}) {
        for (std::size_t at = safe.find(odd); at != safe.npos; at = safe.find(odd)) {
            safe.replace(at, odd.size(), "?");
        }
    }
    return safe;
}

double seconds(Duration span) { return std::chrono::duration<double>(span).count(); }

struct Totals {
    std::size_t tests = 0, failures = 0, errors = 0;
    Duration took{0};
    void add(const TestResult& result) {
        ++tests;
        errors += !result.error.empty();
        failures += result.error.empty() && !result.ok();
        took += result.took;
    }
    std::string text() const {
        return fmt::format(R"(tests="{}" failures="{}" errors="{}" skipped="0" time="{:.3f}")",
                           tests, failures, errors, seconds(took));
    }
};

std::string case_xml(const TestResult& result) {
    const TestCase& test = *result.test;
    std::string xml =
        fmt::format(R"(    <testcase name="{}" classname="{}" file="{}" line="{}" time="{:.3f}")",
                    escaped(test.name), escaped(result.pipeline->name),
                    escaped(result.pipeline->shown), test.at.line, seconds(result.took));
    if (result.ok()) return xml + "/>\n";
    xml += ">\n";
    if (!result.error.empty()) {
        xml += fmt::format("      <error type=\"error\" message=\"{}\"/>\n", escaped(result.error));
    } else {
        xml += fmt::format("      <failure type=\"expectation\" message=\"{}\">{}</failure>\n",
                           escaped(result.misses.front().message), escaped(told(result)));
    }
    return xml + "    </testcase>\n";
}
}  // namespace

std::string junit_xml(const std::vector<TestResult>& results) {
    Totals all;
    std::string suites;
    for (std::size_t begin = 0; begin < results.size();) {
        const PipelineConfig* pipeline = results[begin].pipeline;
        Totals totals;
        std::string cases;
        std::size_t end = begin;
        for (; end < results.size() && results[end].pipeline == pipeline; ++end) {
            totals.add(results[end]);
            all.add(results[end]);
            cases += case_xml(results[end]);
        }
        suites +=
            fmt::format("  <testsuite name=\"{}\" file=\"{}\" {}>\n{}  </testsuite>\n",
                        escaped(pipeline->name), escaped(pipeline->shown), totals.text(), cases);
        begin = end;
    }
    return fmt::format(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"musher\" {}>\n{}"
        "</testsuites>\n",
        all.text(), suites);
}

}  // namespace musher
