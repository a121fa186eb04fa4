// Notifications as events, and the SQL that makes a table send them: no server.
#include "sources/postgres_notify_event.h"

#include <gtest/gtest.h>

#include "pipelines/config/yaml.h"
#include "reactor/base/uuid.h"
#include "sources/postgres_notify.h"

namespace musher::postgres_notify {
namespace {

Reading reading(bool json = true, bool by_id = false) {
    Reading made;
    made.pipeline = "orders";
    made.json = json;
    made.by_id = by_id;
    return made;
}
Arrival read(const std::string& payload, const Reading& how = reading()) {
    PostgresNotification heard;
    heard.channel = "new orders";
    heard.payload = payload;
    heard.pid = 42;
    return how.notification(heard, 1'700'000'000'000);
}
Json facts(const std::string& payload) { return read(payload).event.facts; }

TEST(PostgresNotifyEvent, MembersBecomeFieldsAndTheContractsNamesWin) {
    const std::string text =
        R"({"id": 7, "op": "INSERT", "source": "s", "key": 1, "time": 2, "date": 3, "pid": 4,)"
        R"( "channel": "c", "payload": "p", "deep": {"a": [1]}})";
    const Event event = read(text).event;
    EXPECT_EQ(event.kind, "postgres_notify");
    const Json all = Json::parse(text);
    const Json wanted{{"op", "INSERT"},
                      {"deep", {{"a", {1}}}},
                      {"channel", "new orders"},
                      {"pid", 42},
                      {"payload", all}};
    EXPECT_EQ(*event.facts, wanted);
    EXPECT_EQ(event.view()["id"], event.id);
}

TEST(PostgresNotifyEvent, WhatIsNoMapHasNoFields) {
    for (const char* text : {"5", "[1, 2]", "\"word\"", "null", "true"}) {
        const Json wanted{{"channel", "new orders"}, {"pid", 42}, {"payload", Json::parse(text)}};
        EXPECT_EQ(facts(text), wanted) << text;
        EXPECT_FALSE(read(text).fault) << text;
    }
    EXPECT_EQ(facts("")["payload"], Json()) << "NOTIFY without a payload";
    EXPECT_FALSE(read("").fault);
}

TEST(PostgresNotifyEvent, KeepsWhatItCannotRead) {
    const Arrival broken = read("{\"id\": 7,");
    ASSERT_TRUE(broken.fault);
    EXPECT_EQ(broken.fault->code, Errc::corrupt);
    EXPECT_NE(broken.fault->message.find("channel new orders is not JSON"), std::string::npos)
        << broken.fault->message;
    EXPECT_NE(broken.fault->message.find("line 1, column 10"), std::string::npos)
        << broken.fault->message;
    EXPECT_EQ(broken.event.facts->at("payload"), "{\"id\": 7,");
    EXPECT_TRUE(is_uuid(broken.event.id));

    const Arrival deep = read(std::string(4000, '['));
    EXPECT_TRUE(deep.fault) << "as deep as it would end the stack";
    for (const bool json : {true, false}) {
        const Arrival bytes = read("\"\xff\"", reading(json));
        ASSERT_TRUE(bytes.fault);
        EXPECT_EQ(bytes.event.facts->at("payload"), "\"%FF\"");
    }
}

TEST(PostgresNotifyEvent, TextIsText) {
    const Arrival text = read("{\"id\": 7}", reading(false));
    EXPECT_FALSE(text.fault);
    EXPECT_EQ(text.event.facts->at("payload"), "{\"id\": 7}");
    EXPECT_EQ(read("", reading(false)).event.facts->at("payload"), "");
}

TEST(PostgresNotifyEvent, IsKnownByItsIdWhereThereIsACatchUp) {
    const Reading by_id = reading(true, true);
    const auto id = [&](const std::string& text) { return read(text, by_id).event.id; };
    EXPECT_EQ(id(R"({"id": 7})"), id(R"({"op": "INSERT", "id": 7})"));
    EXPECT_EQ(id(R"({"id": 7})"), id(R"({"id": "7"})")) << "a numeric comes as text in a row";
    EXPECT_EQ(id(R"({"id": [1, "a"]})"), id(R"({"id": [1,"a"]})"));
    EXPECT_NE(id(R"({"id": 7})"), id(R"({"id": 8})"));
    EXPECT_NE(id(R"({"id": null})"), id(R"({"id": null})")) << "an event for each";
    EXPECT_NE(id(R"({"id": 123456789012345678901})"), id(R"({"id": 123456789012345678902})"));
    EXPECT_EQ(id(R"({"id": 18446744073709551615})"), id(R"({"id": "18446744073709551615"})"));
    EXPECT_NE(id("{}"), id("{}"));
    EXPECT_NE(id("7"), id("7"));
    EXPECT_TRUE(is_uuid(id(R"({"id": 7})")));

    Reading other = by_id;
    other.pipeline = "other";
    EXPECT_NE(id(R"({"id": 7})"), read(R"({"id": 7})", other).event.id);
    EXPECT_NE(read(R"({"id": 7})").event.id, read(R"({"id": 7})").event.id)
        << "without a catch_up each notification is an event";
}

TEST(PostgresNotifySql, QuotesWhatItNames) {
    const std::string sql = postgres_notify_sql("shop.It's \"new\"", "No").value();
    for (const char* part :
         {R"(AFTER INSERT ON "shop"."It's ""new""")",
          R"(FUNCTION "shop"."musher_notify_It's ""new""")", R"(pg_notify('It''s "new"')",
          R"(added."No")", R"(channels: "It's \"new\"")"}) {
        EXPECT_NE(sql.find(part), std::string::npos) << part << "\n" << sql;
    }
}

TEST(PostgresNotifySql, RefusesWhatPostgresWouldCutOff) {
    const auto fails = [](const std::string& table, const std::string& key) {
        const auto sql = postgres_notify_sql(table, key);
        return !sql && sql.error().code == Errc::usage;
    };
    EXPECT_TRUE(postgres_notify_sql(std::string(49, 't'), std::string(63, 'k')));
    EXPECT_TRUE(fails(std::string(50, 't'), "id"));
    EXPECT_TRUE(fails("t", std::string(64, 'k')));
    EXPECT_TRUE(fails(std::string(64, 's') + ".t", "id"));
    for (const char* no_name : {"", ".", "a.", ".a", "a\nDROP TABLE b; --", "$musher$"}) {
        EXPECT_TRUE(fails(no_name, "id")) << no_name;
    }
    EXPECT_TRUE(fails("t", ""));
}

/// What `check` says of the options, the first message.
std::string said(const std::string& yaml) {
    std::vector<Problem> problems;
    const auto value = parse_yaml("connection: db\n" + yaml, "p.yml", problems);
    const Options options =
        decode(postgres_notify_spec().options, value.value_or(Value()), "source", problems);
    const Faults faults = postgres_notify_spec().check(options);
    return faults.empty() ? "" : faults.front().message;
}

TEST(PostgresNotifySpec, ChecksChannelsAndQuery) {
    EXPECT_EQ(said("channels: [a, A, 'Odd \"name']\ncatch_up: SELECT 1;\n"), "");
    EXPECT_EQ(said("channels: " + std::string(63, 'c')), "");
    EXPECT_NE(said("channels: " + std::string(64, 'c')).find("longer than 63 bytes"),
              std::string::npos);
    EXPECT_EQ(said("channels: []"), "`channels` names no channel");
    EXPECT_EQ(said("channels: ''"), "`channels`: '' is no name");
    EXPECT_EQ(said("channels: [a, b, a]"), "`channels` names 'a' twice");
    EXPECT_EQ(said("channels: a\ncatch_up: ' ; '"), "`catch_up` is empty");
}

}  // namespace
}  // namespace musher::postgres_notify
