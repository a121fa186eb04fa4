// Lists of Problems: filling, ordering, asking.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "reactor/component/value.h"

namespace musher {

using Problems = std::vector<Problem>;

void add_error(Problems& problems, const Position& at, std::string_view code, std::string message,
               std::string hint = {});
void add_warning(Problems& problems, const Position& at, std::string_view code, std::string message,
                 std::string hint = {});

bool has_errors(const Problems& problems);
/// By file, line and column; what aliases made the same is kept once, and of a file with very many
/// the first ones and how many there are beside them.
void sort_problems(Problems& problems);

/// A hint: "did you mean `x`?", or else what there is ("there are: a, b"); "" when nothing is.
std::string suggest(std::string_view wanted, std::span<const std::string_view> known);

/// "a.yml:3:7: MESSAGE", in one line.
std::string problem_line(const Problem& problem);
/// "a.yml:3:7", for hints that name a second place.
std::string place_text(const Position& at);

}  // namespace musher
