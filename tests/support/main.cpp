// The main of every test program.
#include <gtest/gtest.h>

#include "reactor/loop/signals.h"

int main(int argc, char** argv) {
    musher::ignore_harmless_signals();
    testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}
