// musher: the program.
#include <cstring>

#include "pipelines/app/cli.h"
#include "reactor/loop/child_launcher.h"
#include "reactor/loop/signals.h"

int main(int argc, char** argv) {
    // Every child starts through us first; see reactor/loop/child_launcher.h.
    if (argc > 1 && std::strcmp(argv[1], "child") == 0) return musher::child_main(argc, argv);
    musher::ignore_harmless_signals();
    return musher::run_cli(argc, argv);
}
