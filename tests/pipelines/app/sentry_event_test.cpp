// What Sentry is told, where, and how long it may ask us to be silent.
#include "pipelines/app/sentry_event.h"

#include <gtest/gtest.h>

#include "reactor/drivers/sentry_dsn.h"

namespace musher {
namespace {

TEST(SentryDsn, IsWhatTheProjectShows) {
    const std::tuple<const char*, const char*, const char*> kGood[] = {
        {"https://abc@o1.ingest.sentry.io/42", "https://o1.ingest.sentry.io/api/42/envelope/",
         "abc"},
        {"http://abc:old@127.0.0.1:9000/7", "http://127.0.0.1:9000/api/7/envelope/", "abc"},
        {"https://abc@h.example/sub/path/7", "https://h.example/sub/path/api/7/envelope/", "abc"},
    };
    for (const auto& [text, url, key] : kGood) {
        const Result<SentryDsn> dsn = SentryDsn::parse(text);
        ASSERT_TRUE(dsn.has_value()) << text << ": " << dsn.error().text();
        EXPECT_EQ(dsn->envelope_url, url);
        EXPECT_EQ(dsn->public_key, key);
    }
    for (const char* text :
         {"", "abc@h/1", "https://h.example/1", "https://k3y@h.example", "https://k3y@h.example/",
          "https://k3y@h.example/1?x", "https://k3 y@h/1", "https://@h/1", "https://k3y@/1",
          "ftp://k3y@h/1", "https://k3y@h/1/", "https://k3y\n@h/1"}) {
        const Result<SentryDsn> dsn = SentryDsn::parse(text);
        EXPECT_FALSE(dsn.has_value()) << text;
        if (dsn) continue;
        EXPECT_EQ(dsn.error().message.find("k3"), std::string::npos) << dsn.error().message;
        EXPECT_FALSE(dsn.error().hint.empty());
    }
}

TEST(SentryEvent, HasTheRecordsFields) {
    SentryRecord record;
    record.id = "0123";
    record.time_ms = 1'700'000'000'000;
    record.level = log::Level::warning;
    record.event = "job.dead";
    record.fields = Json{{"pipeline", "p"},
                         {"step", "s"},
                         {"error", "it\nbroke"},
                         {"long", std::string(10'000, 'x')},
                         {"bad", "\xff"}};
    const std::string envelope = sentry_envelope(record, "host");
    const std::size_t first = envelope.find('\n');
    const std::size_t second = envelope.find('\n', first + 1);
    EXPECT_EQ(parse_json(envelope.substr(0, first)).value(), (Json{{"event_id", "0123"}}));
    const Json item = parse_json(envelope.substr(first + 1, second - first - 1)).value();
    EXPECT_EQ(item["type"], "event");
    EXPECT_EQ(item["length"], envelope.size() - second - 2);
    const Json event = parse_json(envelope.substr(second + 1)).value();
    EXPECT_EQ(event["level"], "error") << "whatever the log calls it";
    EXPECT_EQ(event["timestamp"], "2023-11-14T22:13:20.000Z");
    EXPECT_EQ(event["server_name"], "host");
    EXPECT_EQ(event["logentry"]["formatted"], "job.dead: it\nbroke");
    EXPECT_EQ(event["tags"], (Json{{"event", "job.dead"}, {"pipeline", "p"}, {"step", "s"}}));
    EXPECT_EQ(event["fingerprint"], (Json{"job.dead", "p", "s"}));
    EXPECT_EQ(event["extra"]["long"].get<std::string>().size(), 8192u);
}

TEST(SentryPause, IsAsLongAsTheServerWants) {
    using std::chrono::seconds;
    const std::tuple<int, const char*, int, int> kCases[] = {
        {200, "", 0, 0},
        {200, "", 5, 0},
        {429, "", 7, 7},
        {429, "", 0, 60},
        {429, "2700:default;error;security:organization, 3:transaction:key", 9, 2700},
        {200, "60::organization", 0, 60},
        {200, "60:transaction:key", 0, 0},
        {200, "1:error:key,20:default:key:reason", 0, 20},
        {429, "60:transaction:key", 5, 5},
        {200, "soon:error", 0, 60},
        {200, "999999999:error", 0, 3600},
        {200, ",", 0, 60},
    };
    for (const auto& [status, limits, retry_after, expected] : kCases) {
        EXPECT_EQ(sentry_pause(status, limits, seconds(retry_after)), seconds(expected))
            << status << ' ' << limits;
    }
}

}  // namespace
}  // namespace musher
