// Whether what is said of a file stands where the file has a place.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include "reactor/base/text.h"
#include "reactor/component/value.h"

namespace musher::test {

/// As editors count them; the end of the file is a place too.
inline std::vector<std::string> editor_lines(std::string text) {
    if (text.starts_with("\xef\xbb\xbf")) text.erase(0, 3);
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    lines.emplace_back();
    return lines;
}

inline std::size_t points_of(const std::string& line) {
    return static_cast<std::size_t>(std::count_if(line.begin(), line.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xc0u) != 0x80u;
    }));
}

/// The first problem that says nothing or lies outside `text`; "" when all are well.
inline std::string misplaced(const std::vector<Problem>& problems, const std::string& text) {
    const std::vector<std::string> lines = editor_lines(text);
    for (const Problem& problem : problems) {
        const auto line = static_cast<std::size_t>(problem.at.line);
        const auto column = static_cast<std::size_t>(problem.at.column);
        const std::string where = fmt::format("{}:{}: {}", line, column, problem.message);
        if (problem.code.empty() || problem.message.empty()) return where + " says nothing";
        if (!is_utf8(problem.message) && is_utf8(text)) return where + " is not UTF-8";
        if (problem.at.line == 0) continue;
        if (line > lines.size()) return where + ": there is no such line";
        if (column < 1 || column > points_of(lines[line - 1]) + 1)
            return where + ": no such column";
    }
    return "";
}

}  // namespace musher::test
