#include "pipelines/config/problems.h"

#include <fmt/format.h>

#include <tuple>

#include "reactor/base/limits.h"
#include "reactor/base/text.h"

namespace musher {

namespace {
auto order_of(const Problem& problem) {
    const std::string_view file = problem.at.file ? *problem.at.file : std::string_view();
    return std::tuple(file, problem.at.line, problem.at.column, std::string_view(problem.code),
                      std::string_view(problem.message));
}

bool is_error(const Problem& problem) { return problem.severity == Problem::Severity::error; }

/// The first ones of each file, in order; the last of them says how many more there are.
void cut_each_file(Problems& problems) {
    Problems kept;
    for (auto from = problems.begin(); from != problems.end();) {
        const std::shared_ptr<const std::string> file = from->at.file;
        const auto to = std::find_if(from, problems.end(), [&](const Problem& problem) {
            return problem.at.file != file &&
                   (!file || !problem.at.file || *problem.at.file != *file);
        });
        const auto all = static_cast<std::size_t>(to - from);
        const std::size_t said = std::min(all, limits::kConfigProblems);
        const auto rest = from + static_cast<std::ptrdiff_t>(said);
        const bool error = std::any_of(rest, to, is_error);
        std::move(from, rest, std::back_inserter(kept));
        const std::string more = fmt::format("{} more problems are in this file", all - said);
        const Position at{file, 0, 0};
        if (rest != to) (error ? add_error : add_warning)(kept, at, "too_many", more, "");
        from = to;
    }
    problems = std::move(kept);
}
}  // namespace

void add_error(Problems& problems, const Position& at, std::string_view code, std::string message,
               std::string hint) {
    problems.push_back(Problem{at, Problem::Severity::error, std::string(code), std::move(message),
                               std::move(hint)});
}

void add_warning(Problems& problems, const Position& at, std::string_view code, std::string message,
                 std::string hint) {
    problems.push_back(Problem{at, Problem::Severity::warning, std::string(code),
                               std::move(message), std::move(hint)});
}

bool has_errors(const Problems& problems) {
    return std::any_of(problems.begin(), problems.end(), is_error);
}

void sort_problems(Problems& problems) {
    std::stable_sort(problems.begin(), problems.end(),
                     [](const Problem& a, const Problem& b) { return order_of(a) < order_of(b); });
    const auto same = [](const Problem& a, const Problem& b) { return order_of(a) == order_of(b); };
    problems.erase(std::unique(problems.begin(), problems.end(), same), problems.end());
    cut_each_file(problems);
}

std::string suggest(std::string_view wanted, std::span<const std::string_view> known) {
    if (known.empty()) return {};
    if (const auto meant = nearest(wanted, known)) return fmt::format("did you mean `{}`?", *meant);
    return fmt::format("there {}: {}", known.size() == 1 ? "is" : "are", fmt::join(known, ", "));
}

std::string problem_line(const Problem& problem) {
    return place_text(problem.at) + ": " + problem.message;
}

std::string place_text(const Position& at) {
    return fmt::format("{}:{}:{}", at.file ? *at.file : "", at.line, at.column);
}

}  // namespace musher
