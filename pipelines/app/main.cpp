// musher: the program.
#include <cstring>

#include "pipelines/app/cli.h"
#include "pipelines/app/drop_in.h"
#include "reactor/loop/child_launcher.h"
#include "reactor/loop/signals.h"

int main(int argc, char** argv) {
    const musher::DropIn* called = argc > 0 ? musher::find_drop_in(argv[0]) : nullptr;
    // Every child starts through us first; see reactor/loop/child_launcher.h.
    if (!called && argc > 1 && std::strcmp(argv[1], "child") == 0) {
        return musher::child_main(argc, argv);
    }
    musher::ignore_harmless_signals();
    return called ? called->run(argc, argv) : musher::run_cli(argc, argv);
}
