// The wire format, the error table and the forms of a target: no server needed.
#include "reactor/drivers/redis_reply.h"

#include <gtest/gtest.h>

#include "reactor/drivers/redis_target.h"

namespace musher {
namespace {

std::optional<RedisReply> next(RedisDecoder& decoder) {
    Result<std::optional<RedisReply>> reply = decoder.next();
    EXPECT_TRUE(reply.has_value());
    return std::move(*reply);
}

TEST(RedisReply, DecodesWhateverTheCut) {
    using namespace std::string_literals;
    const std::string bytes =
        "+OK\r\n:-42\r\n$-1\r\n*-1\r\n$5\r\na\r\n\0b\r\n-ERR no\r\n"
        "*4\r\n:1\r\n$0\r\n\r\n*2\r\n$1\r\nx\r\n-ERR in\r\n*0\r\n"s;
    RedisDecoder decoder;
    std::vector<RedisReply> all;
    for (const char byte : bytes) {
        decoder.feed(std::string_view(&byte, 1));
        while (std::optional<RedisReply> reply = next(decoder)) all.push_back(std::move(*reply));
    }
    ASSERT_EQ(all.size(), 7u);
    EXPECT_EQ(all[0].kind, RedisReply::Kind::status);
    EXPECT_EQ(all[0].text, "OK");
    EXPECT_EQ(all[1].integer, -42);
    EXPECT_TRUE(all[2].is_nil());
    EXPECT_TRUE(all[3].is_nil());
    EXPECT_EQ(all[4].text.size(), 5u);
    EXPECT_EQ(all[5].kind, RedisReply::Kind::error);
    ASSERT_EQ(all[6].items.size(), 4u);
    EXPECT_EQ(all[6].items[0].integer, 1);
    EXPECT_EQ(all[6].items[1].kind, RedisReply::Kind::text);
    EXPECT_EQ(all[6].items[2].items[0].text, "x");
    EXPECT_EQ(all[6].items[2].items[1].text, "ERR in");
    EXPECT_TRUE(all[6].items[3].is_list());
}

TEST(RedisReply, RefusesWhatIsNotRedis) {
    RedisDecoder decoder;
    decoder.feed("HTTP/1.1 400 Bad Request\r\n");
    EXPECT_EQ(decoder.next().error().code, Errc::corrupt);
}

TEST(RedisReply, RefusesAListOfAnyLength) {
    for (const char* bytes : {"*2147483647\r\n", "*2\r\n:1\r\n*1048577\r\n"}) {
        RedisDecoder decoder;
        decoder.feed(bytes);
        const auto reply = decoder.next();
        ASSERT_FALSE(reply.has_value()) << bytes;
        EXPECT_EQ(reply.error().code, Errc::corrupt);
        EXPECT_EQ(reply.error().message, "redis: a reply is too large");
    }
}

TEST(RedisReply, FreesWhatIsIncomplete) {
    RedisDecoder decoder;
    decoder.feed("*2\r\n$3\r\nabc\r\n");
    EXPECT_FALSE(next(decoder));
}

TEST(RedisReply, EncodesBinary) {
    using namespace std::string_literals;
    EXPECT_EQ(encode_command({"SET", "k", "\0\r\n"s}),
              "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\n\0\r\n\r\n"s);
}

TEST(RedisReply, SortsErrors) {
    EXPECT_EQ(redis_error("READONLY You can't write").code, Errc::unavailable);
    EXPECT_EQ(redis_error("LOADING Redis is loading").code, Errc::unavailable);
    EXPECT_EQ(redis_error("MASTERDOWN Link").code, Errc::unavailable);
    EXPECT_EQ(redis_error("NOREPLICAS Not enough").code, Errc::unavailable);
    EXPECT_EQ(redis_error("UNBLOCKED force").code, Errc::unavailable);
    EXPECT_EQ(redis_error("TRYAGAIN Multiple").code, Errc::unavailable);
    EXPECT_EQ(redis_error("CLUSTERDOWN The").code, Errc::unavailable);
    EXPECT_EQ(redis_error("OOM command not allowed").code, Errc::full);
    EXPECT_NE(redis_error("OOM command not allowed").hint.find("maxmemory"), std::string::npos);
    EXPECT_EQ(redis_error("MISCONF AOF: No space left on device").code, Errc::full);
    EXPECT_EQ(redis_error("MISCONF Redis is configured").code, Errc::unavailable);
    EXPECT_EQ(redis_error("NOAUTH Authentication required.").code, Errc::denied);
    EXPECT_EQ(redis_error("WRONGPASS invalid").code, Errc::denied);
    EXPECT_EQ(redis_error("NOPERM this user").code, Errc::denied);
    EXPECT_EQ(redis_error("MOVED 1 h:1").code, Errc::usage);
    EXPECT_EQ(redis_error("WRONGTYPE Operation").code, Errc::failed);
    EXPECT_EQ(redis_error("WRONGTYPE Operation").message, "redis: WRONGTYPE Operation");
    EXPECT_TRUE(redis_error_ends_connection("READONLY You"));
    EXPECT_FALSE(redis_error_ends_connection("LOADING Redis"));
}

TEST(RedisTarget, ReadsUrls) {
    const auto full = RedisTarget::from_url("redis://al%40ice:p%3Aw@10.0.0.5:7000/3");
    EXPECT_EQ(full->user, "al@ice");
    EXPECT_EQ(full->password, "p:w");
    EXPECT_EQ(full->server.host, "10.0.0.5");
    EXPECT_EQ(full->server.port, 7000);
    EXPECT_EQ(full->db, 3);
    EXPECT_EQ(full->name(), "redis://10.0.0.5:7000/3");
    EXPECT_EQ(RedisTarget::from_url("redis://:pw@h")->password, "pw");
    EXPECT_EQ(RedisTarget::from_url("redis://h/")->server.port, 6379);
    EXPECT_EQ(RedisTarget::from_url("redis://[::1]:7000")->name(), "redis://[::1]:7000/0");
    EXPECT_EQ(RedisTarget::from_url("unix:/run/r.sock?db=2")->db, 2);
    EXPECT_EQ(RedisTarget::from_url("unix:///run/r.sock")->unix_path, "/run/r.sock");
    EXPECT_EQ(RedisTarget::from_url("/run/r.sock")->name(), "unix:/run/r.sock");
}

TEST(RedisTarget, RefusesWhatItCannotDo) {
    EXPECT_EQ(RedisTarget::from_url("rediss://h").error().code, Errc::usage);
    EXPECT_NE(RedisTarget::from_url("rediss://h").error().hint.find("stunnel"), std::string::npos);
    for (const char* bad : {"", "h:1", "http://h", "redis://", "redis://h:0", "redis://h:99999",
                            "redis://h/x", "unix:rel.sock", "unix:/s?x=1", "redis://[::1"}) {
        EXPECT_EQ(RedisTarget::from_url(bad).error().code, Errc::usage) << bad;
    }
    const Error shown = RedisTarget::from_url("redis//u:secret@h").error();
    EXPECT_EQ(shown.text().find("secret"), std::string::npos);
}

TEST(RedisTarget, ReadsOptions) {
    const Json sentinels = {{"sentinels", {"a:1", "b", "[::1]:3"}},
                            {"master", "mm"},
                            {"db", 4},
                            {"password", "pw"},
                            {"sentinel_password", "sp"}};
    const auto target = RedisTarget::from_options(sentinels);
    ASSERT_TRUE(target.has_value());
    EXPECT_EQ(target->sentinels[1].text(), "b:26379");
    EXPECT_EQ(target->sentinels[2].host, "::1");
    EXPECT_EQ(target->name(), "sentinel:mm");
    EXPECT_EQ(target->sentinel_password, "sp");
    EXPECT_EQ(target->db, 4);
    EXPECT_EQ(RedisTarget::from_options("redis://h:1")->server.port, 1);
    EXPECT_EQ(RedisTarget::from_options(Json{{"url", "redis://h"}, {"password", "p"}})->password,
              "p");
    EXPECT_FALSE(RedisTarget::from_options(Json{{"sentinels", {"a"}}}));
    EXPECT_FALSE(RedisTarget::from_options(Json::object()));
    EXPECT_FALSE(RedisTarget::from_options(7));
}

}  // namespace
}  // namespace musher
