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
}  // namespace

Answer problems_answer(const Call& call, const Configuration& read,
                       const std::vector<std::string>& paths) {
    Answer answer;
    const Errc why = any_missing(paths) ? Errc::not_found : Errc::usage;
    if (!read.ok()) answer.code = info(why).exit_code;
    answer.json = problems_to_json(read.problems);
    if (!call.json) std::fputs(render_problems(read.problems).c_str(), stderr);
    return answer;
}

}  // namespace musher
