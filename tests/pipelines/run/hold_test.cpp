// Hold: when the next probe may go, and what lifts it.
#include "pipelines/run/hold.h"

#include <gtest/gtest.h>

namespace musher {
namespace {

using std::chrono::seconds;

Error busy(milliseconds retry_after) {
    Error error(Errc::unavailable, "answered 503");
    error.retry_after = retry_after;
    return error;
}

TEST(Hold, ProbesOneJobAtATimeAndLongerApart) {
    ManualClock clock;
    Hold hold(clock, "p");
    EXPECT_EQ(hold.allowance(4, 0), 4u);
    hold.fault("sink", busy(seconds(0)));
    EXPECT_EQ(hold.allowance(4, 0), 0u);
    EXPECT_LE(hold.probe_at() - clock.now(), seconds(1));
    clock.advance(seconds(1));
    EXPECT_EQ(hold.allowance(4, 0), 1u);
    EXPECT_EQ(hold.allowance(4, 1), 0u) << "the probe is under way";
    hold.lift({{"sink", clock.now()}});
    EXPECT_FALSE(hold.active());
}

TEST(Hold, IsNotLiftedByWhoWentThroughBeforeTheFault) {
    ManualClock clock;
    Hold hold(clock, "p");
    const Instant before = clock.now();
    clock.advance(seconds(1));
    hold.fault("sql", busy(seconds(0)));
    clock.advance(seconds(1));
    EXPECT_FALSE(hold.lift({{"sql", before}})) << "its job only ended now";
    EXPECT_FALSE(hold.lift({{"other", clock.now()}}));
    EXPECT_TRUE(hold.lift({{"sql", clock.now()}}));
}

TEST(Hold, WaitsAsLongAsTheServerAskedFor) {
    ManualClock clock;
    Hold hold(clock, "p");
    hold.fault("sink", busy(seconds(90)));
    EXPECT_EQ(hold.probe_at() - clock.now(), seconds(90));
    hold.lift({{"sink", clock.now()}});
    EXPECT_TRUE(hold.active()) << "a job that was under way got through before it";
    hold.fault("sink", busy(seconds(120)));
    EXPECT_EQ(hold.probe_at() - clock.now(), seconds(120)) << "another one was told to wait longer";
    hold.fault("sink", busy(seconds(3)));
    EXPECT_EQ(hold.probe_at() - clock.now(), seconds(120));
    clock.advance(seconds(119));
    EXPECT_EQ(hold.allowance(4, 0), 0u);
    clock.advance(seconds(1));
    EXPECT_EQ(hold.allowance(4, 0), 1u);
    hold.lift({{"sink", clock.now()}});
    EXPECT_FALSE(hold.active());
}

}  // namespace
}  // namespace musher
