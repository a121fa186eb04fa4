// What was expected against what came: as lines that a person can read.
#pragma once

#include <string>
#include <vector>

#include "reactor/base/json.h"

namespace musher {

/// Texts match where `*` stands for anything; a map names a part of the other.
bool matches(const Json& expected, const Json& actual);
/// What is left to show of `actual`: of maps what `expected` names, and `expected` itself wherever
/// it matches.
Json narrowed(const Json& expected, const Json& actual);

std::vector<std::string> text_lines(const std::string& text);
/// YAML for people, `step` and `sink` first: one line per value, and per line of a text.
std::vector<std::string> value_lines(const Json& value);
/// Each line behind "- ", "+ " or "  "; far from all differences they are left out.
std::string line_difference(const std::vector<std::string>& expected,
                            const std::vector<std::string>& actual);

/// Pairs the elements of two lists, in their order, so that most match; those of one list that
/// have no partner are paired with nothing (-1).
std::vector<std::pair<int, int>> align(int expected, int actual,
                                       const std::vector<std::vector<bool>>& match);

}  // namespace musher
