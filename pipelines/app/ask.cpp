#include "pipelines/app/ask.h"

#include <unistd.h>

#include "pipelines/app/visit.h"
#include "pipelines/config/check.h"

namespace musher {

namespace {
/// Broken pipelines do not matter here: the others are there.
Result<Configuration> configuration_of(const Call& call) {
    Configuration read = read_configuration(call.config);
    if (!read.daemon.state.empty()) return read;
    const std::string why = read.problems.empty() ? "" : ": " + read.problems.front().message;
    const bool readable = ::access(call.config.c_str(), R_OK) == 0;
    const Errc code = readable ? Errc::usage : errno_error(errno, "").code;
    return fail(code, call.config + " cannot be read" + why,
                "name the configuration with -c FILE; musher check shows all that is wrong");
}
}  // namespace

Result<std::string> state_folder(const Call& call) {
    MUSHER_TRY(const Configuration read, configuration_of(call));
    return read.daemon.state;
}

Result<Json> ask_musher(const Call& call, const ApiCall& api) {
    MUSHER_TRY(const Configuration read, configuration_of(call));
    return ask(read.daemon.state, api).answer;
}

Result<Json> ask_queue(const Call& call, const ApiCall& api) {
    MUSHER_TRY(Configuration read, configuration_of(call));
    Heard heard = ask(read.daemon.state, api);
    const bool nobody = !heard.answered && heard.answer.error().code == Errc::unavailable;
    if (!nobody) return std::move(heard.answer);
    return visit_queue(std::move(read), api);
}

}  // namespace musher
