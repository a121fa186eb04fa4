// Results of tests as JUnit's XML, which continuous integration servers show.
#pragma once

#include <string>
#include <vector>

#include "pipelines/trial/report.h"

namespace musher {

/// A testsuite per pipeline, a testcase per test, with file and line.
std::string junit_xml(const std::vector<TestResult>& results);

}  // namespace musher
