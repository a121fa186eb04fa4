#include "pipelines/app/problems_answer.h"

#include <algorithm>
#include <filesystem>

#include "pipelines/config/render_error.h"

namespace musher {

namespace {
bool any_missing(const std::vector<std::string>& paths) {
    return std::any_of(paths.begin(), paths.end(), [](const std::string& path) {
        std::error_code failed;
        return !std::filesystem::exists(path, failed);
    });
}
/// Nothing is wrong but that others may read a secret, or musher may not.
bool only_denied(const std::vector<Problem>& problems) {
    return std::all_of(problems.begin(), problems.end(), [](const Problem& problem) {
        return problem.severity == Problem::Severity::warning || problem.code == "exposed_secret" ||
               problem.code == "denied";
    });
}

Errc kind_of_failure(const Configuration& read, const std::vector<std::string>& paths) {
    if (any_missing(paths)) return Errc::not_found;
    return only_denied(read.problems) ? Errc::denied : Errc::usage;
}
}  // namespace

Answer problems_answer(const Call& call, const Configuration& read,
                       const std::vector<std::string>& paths) {
    Answer answer;
    if (!read.ok()) answer.code = info(kind_of_failure(read, paths)).exit_code;
    answer.json = problems_to_json(read.problems);
    if (!call.json) std::fputs(render_problems(read.problems).c_str(), stderr);
    return answer;
}

}  // namespace musher
