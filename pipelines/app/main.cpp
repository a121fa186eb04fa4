#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "pipelines/config/render_error.h"
#include "pipelines/run/reactor.h"
#include "reactor/base/log.h"
#include "reactor/base/uuid.h"
#include "reactor/loop/child_launcher.h"
#include "reactor/loop/signals.h"

namespace musher {
Task<void> run_all(Loop& loop, Configuration configuration, int& code) {
    Cancel stop;
    Signals signals(loop, {SIGTERM, SIGINT}, [&](int) { stop.request(); });
    Reactor reactor(loop, std::move(configuration));
    auto ready = [] { log::info("musher.ready"); };
    const Result<void> ended = co_await reactor.run(stop, ready);
    if (!ended) std::fprintf(stderr, "musher run: error: %s\n", ended.error().text().c_str());
    code = ended ? 0 : info(ended.error().code).exit_code;
}
int run(const std::string& file) {
    Configuration configuration = read_configuration(file);
    std::fputs(render_problems(configuration.problems).c_str(), stderr);
    if (!configuration.ok()) return 2;
    std::filesystem::create_directories(configuration.daemon.state);
    const std::string node = configuration.daemon.state + "/node";
    if (!std::filesystem::exists(node)) std::ofstream(node) << new_uuid7(0) << "\n";
    static_cast<void>(log::open("stderr", log::Level::info));
    RealClock clock;
    Loop loop(clock);
    int code = 0;
    loop.run(run_all(loop, std::move(configuration), code));
    const int closed = loop.close();
    if (closed != 0) std::fprintf(stderr, "loop leak %d\n", closed);
    return code;
}
}  // namespace musher

int main(int argc, char** argv) {
    if (argc > 1 && std::strcmp(argv[1], "child") == 0) return musher::child_main(argc, argv);
    musher::ignore_harmless_signals();
    if (argc == 4 && std::strcmp(argv[1], "run") == 0) return musher::run(argv[3]);
    return 2;
}
