// Cron lines: which minutes they mean, and when that is where clocks jump.
#include "sources/cron.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reactor/base/clock.h"

namespace musher::timer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// The next `count` due times after `from` ("2026-03-29T00:30Z"), as MM-DD HH:MM of the zone's
/// clock and its distance from UTC.
std::vector<std::string> due(const char* line, const std::string& zone, const std::string& from,
                             int count) {
    const auto parsed = CronLine::parse(line);
    if (!parsed) return {parsed.error().message};
    std::int64_t at = parse_time(from.substr(0, 16) + ":00Z").value() / 1000;
    std::vector<std::string> times;
    for (int i = 0; i < count; ++i) {
        const auto next = next_due(*parsed, at, zone);
        if (!next) return {next.error().text()};
        EXPECT_GT(*next, at);
        at = *next;
        times.push_back(format_local(at * 1000, zone, "%m-%d %H:%M %z").value());
    }
    return times;
}

std::string refusal(const char* line) {
    const auto parsed = CronLine::parse(line);
    return parsed ? "" : parsed.error().message;
}

TEST(Cron, MeansWhatVixieCronMeans) {
    const auto in_utc = [](const char* line, int count) {
        return due(line, "UTC", "2026-01-01T00:00Z", count);  // a Thursday
    };
    EXPECT_THAT(in_utc("*/20 * * * *", 4), ElementsAre("01-01 00:20 +0000", "01-01 00:40 +0000",
                                                       "01-01 01:00 +0000", "01-01 01:20 +0000"));
    EXPECT_THAT(in_utc("5,10-12 3 * * *", 5),
                ElementsAre("01-01 03:05 +0000", "01-01 03:10 +0000", "01-01 03:11 +0000",
                            "01-01 03:12 +0000", "01-02 03:05 +0000"));
    EXPECT_THAT(in_utc("0 0-12/6 * * *", 3),
                ElementsAre("01-01 06:00 +0000", "01-01 12:00 +0000", "01-02 00:00 +0000"));
    EXPECT_THAT(in_utc("30 6 * FEB Mon-fri", 2),
                ElementsAre("02-02 06:30 +0000", "02-03 06:30 +0000"));
    EXPECT_THAT(in_utc("0 0 * * 7", 1), ElementsAre("01-04 00:00 +0000"));
    EXPECT_EQ(in_utc("0 0 * * 7", 9), in_utc("0 0 * * sun", 9));
    EXPECT_EQ(in_utc("0 0 * * 0", 9), in_utc("@weekly", 9));
    EXPECT_EQ(in_utc("0 0 * * 6-7", 9), in_utc("0 0 * * sat-sun", 9));
    EXPECT_THAT(in_utc("@hourly", 1), ElementsAre("01-01 01:00 +0000"));
    EXPECT_THAT(in_utc("@daily", 1), ElementsAre("01-02 00:00 +0000"));
    EXPECT_THAT(in_utc("@monthly", 1), ElementsAre("02-01 00:00 +0000"));
    EXPECT_THAT(in_utc("@yearly", 1), ElementsAre("01-01 00:00 +0000"));
    EXPECT_THAT(in_utc("\t0  0 29 2 * ", 1), ElementsAre("02-29 00:00 +0000"));
}

TEST(Cron, TakesADayOfEitherFieldUnlessOneBeginsWithAStar) {
    const auto in_utc = [](const char* line) { return due(line, "UTC", "2026-01-01T00:00Z", 4); };
    EXPECT_THAT(in_utc("0 9 13 * fri"), ElementsAre("01-02 09:00 +0000", "01-09 09:00 +0000",
                                                    "01-13 09:00 +0000", "01-16 09:00 +0000"));
    EXPECT_THAT(in_utc("0 9 */2 * fri"), ElementsAre("01-09 09:00 +0000", "01-23 09:00 +0000",
                                                     "02-13 09:00 +0000", "02-27 09:00 +0000"));
}

TEST(Cron, NamesTheFieldThatIsWrong) {
    EXPECT_EQ(refusal("60 * * * *"), "minute wants 0 to 59, found `60`");
    EXPECT_EQ(refusal("0 24 * * *"), "hour wants 0 to 23, found `24`");
    EXPECT_EQ(refusal("0 0 0 * *"), "day-of-month wants 1 to 31, found `0`");
    EXPECT_EQ(refusal("0 0 1 sept *"), "month wants 1 to 12, or jan to dec, found `sept`");
    EXPECT_EQ(refusal("0 0 * * 8"), "day-of-week wants 0 to 7, or sun to sat, found `8`");
    EXPECT_EQ(refusal("0 22-6 * * *"), "hour wants 0 to 23, found `22-6`");
    for (const char* part : {"", ",", "1,", "-", "1-", "-1", "+1", "1-2-3", "*/", "*/0", "5/10",
                             "*/60", "*1", "1 0", "99999999999", "1.5", "ä"}) {
        EXPECT_NE(refusal((std::string(part) + " * * * *").c_str()), "") << part;
    }
    EXPECT_EQ(refusal("* * * *"), "five fields are wanted, found 4");
    EXPECT_EQ(refusal(""), "five fields are wanted, found 0");
    EXPECT_EQ(refusal("@reboot"), "there is no `@reboot`");
}

TEST(Cron, RefusesDatesThatNeverCome) {
    EXPECT_EQ(refusal("0 0 31 2 *"), "there is no such date");
    EXPECT_EQ(refusal("0 0 31 4,6,9,11 *"), "there is no such date");
    EXPECT_EQ(refusal("0 0 30 feb */2"), "there is no such date");
    EXPECT_EQ(refusal("0 0 29 2 *"), "");
    EXPECT_EQ(refusal("0 0 31 2 mon"), "") << "either of the two days";
    const auto leap = due("0 0 29 2 *", "Europe/Berlin", "2096-03-01T00:00Z", 1);
    EXPECT_THAT(leap, ElementsAre("02-29 00:00 +0100")) << "2100 is no leap year";
}

TEST(Cron, FollowsTheClockOfBerlin) {
    const std::string zone = "Europe/Berlin";
    EXPECT_THAT(due("30 2 * * *", zone, "2026-03-27T12:00Z", 3),
                ElementsAre("03-28 02:30 +0100", "03-29 03:00 +0200", "03-30 02:30 +0200"))
        << "left out: at the jump";
    EXPECT_THAT(due("*/20 2,3 * * *", zone, "2026-03-28T23:00Z", 4),
                ElementsAre("03-29 03:00 +0200", "03-29 03:20 +0200", "03-29 03:40 +0200",
                            "03-30 02:00 +0200"))
        << "all that is left out, once";
    EXPECT_THAT(due("30 2 * * *", zone, "2026-10-24T12:00Z", 2),
                ElementsAre("10-25 02:30 +0200", "10-26 02:30 +0100"))
        << "twice there, once due";
    EXPECT_THAT(due("30 2 * * *", zone, "2026-10-25T01:10Z", 1), ElementsAre("10-26 02:30 +0100"))
        << "the second 02:10 is after the first 02:30";
    EXPECT_THAT(due("0 */2 * * *", zone, "2026-10-24T23:00Z", 2),
                ElementsAre("10-25 02:00 +0200", "10-25 04:00 +0100"));
    EXPECT_THAT(due("30 * * * *", zone, "2026-03-29T00:00Z", 3),
                ElementsAre("03-29 01:30 +0100", "03-29 03:30 +0200", "03-29 04:30 +0200"));
    EXPECT_THAT(due("30 0-23 * * *", zone, "2026-10-25T00:00Z", 3),
                ElementsAre("10-25 02:30 +0200", "10-25 02:30 +0100", "10-25 03:30 +0100"));
    EXPECT_THAT(due("0 12 * * *", zone, "2026-03-28T00:00Z", 2),
                ElementsAre("03-28 12:00 +0100", "03-29 12:00 +0200"));
    EXPECT_THAT(due("0 4 1 jul *", zone, "2026-12-01T00:00Z", 2),
                ElementsAre("07-01 04:00 +0200", "07-01 04:00 +0200"));
}

TEST(Cron, FollowsTheClockOfNewYork) {
    const std::string zone = "America/New_York";
    EXPECT_THAT(due("15 2 * * *", zone, "2026-03-07T00:00Z", 3),
                ElementsAre("03-07 02:15 -0500", "03-08 03:00 -0400", "03-09 02:15 -0400"));
    EXPECT_THAT(due("15 1 * * *", zone, "2026-10-31T12:00Z", 2),
                ElementsAre("11-01 01:15 -0400", "11-02 01:15 -0500"));
    EXPECT_THAT(due("*/30 * * * *", zone, "2026-11-01T04:45Z", 5),
                ElementsAre("11-01 01:00 -0400", "11-01 01:30 -0400", "11-01 01:00 -0500",
                            "11-01 01:30 -0500", "11-01 02:00 -0500"));
    EXPECT_THAT(due("59 23 31 12 *", zone, "1987-04-05T07:00Z", 2),
                ElementsAre("12-31 23:59 -0500", "12-31 23:59 -0500"));
}

TEST(Cron, FollowsTheHalfHourOfLordHowe) {
    const std::string zone = "Australia/Lord_Howe";
    EXPECT_THAT(due("15 2 * * *", zone, "2026-10-02T12:00Z", 3),
                ElementsAre("10-03 02:15 +1030", "10-04 02:30 +1100", "10-05 02:15 +1100"));
    EXPECT_THAT(due("45 1 * * *", zone, "2026-04-03T18:00Z", 2),
                ElementsAre("04-05 01:45 +1100", "04-06 01:45 +1030"));
    EXPECT_THAT(due("*/10 * * * *", zone, "2026-04-04T14:35Z", 5),
                ElementsAre("04-05 01:40 +1100", "04-05 01:50 +1100", "04-05 01:30 +1030",
                            "04-05 01:40 +1030", "04-05 01:50 +1030"));
    EXPECT_THAT(due("*/10 * * * *", zone, "2026-10-03T15:15Z", 3),
                ElementsAre("10-04 01:50 +1030", "10-04 02:30 +1100", "10-04 02:40 +1100"));
}

TEST(Cron, FollowsApiaOverTheDateLine) {
    const std::string zone = "Pacific/Apia";  // 30 December 2011 was left out
    EXPECT_THAT(due("0 9,17 * * *", zone, "2011-12-29T00:00Z", 6),
                ElementsAre("12-28 17:00 -1000", "12-29 09:00 -1000", "12-29 17:00 -1000",
                            "12-31 00:00 +1400", "12-31 09:00 +1400", "12-31 17:00 +1400"));
    EXPECT_THAT(due("0 0 30 12 *", zone, "2011-12-01T00:00Z", 2),
                ElementsAre("12-31 00:00 +1400", "12-30 00:00 +1400"));
    EXPECT_THAT(due("0 */1 * * *", zone, "2011-12-30T08:30Z", 2),
                ElementsAre("12-29 23:00 -1000", "12-31 00:00 +1400"));
    EXPECT_THAT(due("0 9 * * *", zone, "2012-03-30T12:00Z", 2),
                ElementsAre("03-31 09:00 +1400", "04-01 09:00 +1300"));
}

TEST(Cron, GoesOverMidnightThatComesTwice) {
    // 00:01 was 23:01 of the day before.
    const std::string zone = "America/St_Johns";
    EXPECT_THAT(due("30 23 * * *", zone, "2010-11-06T12:00Z", 2),
                ElementsAre("11-06 23:30 -0230", "11-07 23:30 -0330"));
    EXPECT_THAT(due("0 * * * *", zone, "2010-11-07T02:15Z", 2),
                ElementsAre("11-07 00:00 -0230", "11-07 00:00 -0330"));
}

TEST(Cron, AnswersByWalkingAsByTryingEachMinute) {
    // Every minute of the days around a jump, against the rule written down the slow way.
    for (const auto& [zone, from] : {std::pair{"Europe/Berlin", "2026-03-28T20:00:00Z"},
                                     std::pair{"Europe/Berlin", "2026-10-24T20:00:00Z"},
                                     std::pair{"Australia/Lord_Howe", "2026-04-04T10:00:00Z"}}) {
        const auto line = CronLine::parse("*/7 * * * *").value();
        const std::int64_t begin = parse_time(from).value() / 1000;
        std::int64_t expected = 0;
        for (std::int64_t at = begin + 12 * 3600; at > begin; at -= 60) {
            const std::string minute = format_local(at * 1000, zone, "%M").value();
            EXPECT_TRUE(expected == 0 || next_due(line, at, zone).value() == expected) << at;
            if (std::stoi(minute) % 7 == 0) expected = at;
        }
    }
}

TEST(Cron, KnowsNoZoneThatDoesNotExist) {
    const auto line = CronLine::parse("@daily").value();
    const auto lost = next_due(line, 0, "Europe/Berln");
    ASSERT_FALSE(lost);
    EXPECT_EQ(lost.error().code, Errc::usage);
    EXPECT_THAT(lost.error().hint, HasSubstr("Europe/Berlin"));
}

}  // namespace
}  // namespace musher::timer
