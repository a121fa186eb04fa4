// What the line of progress says.
#include "pipelines/verb/progress_line.h"

#include <gtest/gtest.h>

namespace musher {
namespace {

using std::chrono::seconds;

TEST(ProgressLine, SaysHowMuchHowFastAndHowLongStill) {
    const ProgressMoment half{512u << 20, 1024u << 20, 60, 100};
    EXPECT_EQ(progress_text("copying s", half, seconds(4), 0),
              "copying s  50%  512MiB of 1.0GiB, 60 of 100 files, 128MiB/s, 4s left");
    const ProgressMoment many{0, 0, 3, 12};
    EXPECT_EQ(progress_text("copying s", many, seconds(30), 0),
              "copying s  25%  0B of 0B, 3 of 12 files, 0B/s, 2m left");
    const ProgressMoment unknown{2048, 0, 7, 0};
    EXPECT_EQ(progress_text("verifying s", unknown, seconds(1), 0),
              "verifying s 2.0KiB, 7 files, 2.0KiB/s");
    const ProgressMoment one{0, 0, 1, 1};
    EXPECT_EQ(progress_text("copying s", one, seconds(1), 0),
              "copying s 100%  0B of 0B, 1 of 1 file, 0B/s, 0s left");
}

TEST(ProgressLine, FitsIntoTheTerminal) {
    const ProgressMoment half{512u << 20, 1024u << 20, 60, 100};
    EXPECT_EQ(progress_text("s", half, seconds(4), 80),
              "s [========        ]  50%  512MiB of 1.0GiB, 60 of 100 files, 128MiB/s, 4s left");
    for (int width = 1; width < 200; ++width) {
        EXPECT_LT(progress_text("copying shard", half, seconds(4), width).size(),
                  static_cast<std::size_t>(width));
    }
}

}  // namespace
}  // namespace musher
