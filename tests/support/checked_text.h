// One pipeline file's text through `check`, and what it cost.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include "pipelines/config/check.h"
#include "pipelines/config/render_error.h"
#include "reactor/base/clock.h"
#include "tests/support/sanitized.h"

namespace musher::test {

inline constexpr Duration kLongestCheck = std::chrono::seconds(5) * kSlowdown;

struct Checked {
    Configuration read;
    std::string said;
    Duration took{0};  // processor time of reading and rendering
};

inline Checked check_text(const std::string& file, const std::string& text) {
    std::filesystem::remove(file);  // some file systems write a truncated file out at once
    std::ofstream(file, std::ios::binary) << text;
    const Duration before = thread_cpu_time();
    Checked checked{read_pipelines({file}), {}, Duration(0)};
    checked.said = render_problems(checked.read.problems);
    checked.took = thread_cpu_time() - before;
    return checked;
}

}  // namespace musher::test
