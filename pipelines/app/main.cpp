// musher: the program.
#include <fcntl.h>

#include <cstring>

#include "pipelines/app/cli.h"
#include "pipelines/app/drop_in.h"
#include "reactor/loop/child_launcher.h"
#include "reactor/loop/signals.h"

// Read by jemalloc at start: one arena for the loop and one for the pool keep an idle process
// small, and what a burst took goes back after a second.
extern "C" const char* malloc_conf;
const char* malloc_conf = "narenas:2,dirty_decay_ms:1000,muzzy_decay_ms:0";

namespace {
/// A closed stdin, stdout or stderr would be the number of the next file opened, and lines meant
/// for people would go into it.
void open_missing_streams() {
    for (int fd = 0; fd <= 2; ++fd) {
        if (::fcntl(fd, F_GETFD) < 0) static_cast<void>(::open("/dev/null", O_RDWR));
    }
}
}  // namespace

int main(int argc, char** argv) {
    open_missing_streams();
    const musher::DropIn* called = argc > 0 ? musher::find_drop_in(argv[0]) : nullptr;
    // Every child starts through us first; see reactor/loop/child_launcher.h.
    if (!called && argc > 1 && std::strcmp(argv[1], "child") == 0) {
        return musher::child_main(argc, argv);
    }
    musher::ignore_harmless_signals();
    return called ? called->run(argc, argv) : musher::run_cli(argc, argv);
}
