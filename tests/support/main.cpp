// The main of every test program.
#include <gtest/gtest.h>

#include <string_view>

#include "reactor/loop/child_launcher.h"
#include "reactor/loop/signals.h"

int main(int argc, char** argv) {
    if (argc > 1 && std::string_view(argv[1]) == "child") return musher::child_main(argc, argv);
    musher::ignore_harmless_signals();
    testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}
