// What a connection's options mean, and how a server's refusal is read.
#include "reactor/drivers/postgres_target.h"

#include <gtest/gtest.h>

#include "reactor/drivers/postgres_error.h"
#include "reactor/drivers/postgres_result.h"

namespace musher {
namespace {

TEST(PostgresTarget, ReadsAUrl) {
    const auto target = PostgresTarget::from_url(
        "postgresql://me:p%40ss@db.example:6543/shop?sslmode=verify-full&connect_timeout=3");
    ASSERT_TRUE(target.has_value());
    ASSERT_EQ(target->servers.size(), 1u);
    EXPECT_EQ(target->servers[0].host, "db.example");
    EXPECT_EQ(target->servers[0].port, "6543");
    EXPECT_EQ(target->settings.at("password"), "p@ss");
    EXPECT_EQ(target->settings.at("sslmode"), "verify-full");
    EXPECT_EQ(target->settings.at("gssencmode"), "disable");
    EXPECT_EQ(target->dial, std::chrono::seconds(3));
    EXPECT_EQ(target->name(), "postgresql://db.example:6543/shop");
}

TEST(PostgresTarget, ReadsListsOfServers) {
    const auto target =
        PostgresTarget::from_url("postgresql://a:1,[::1]:2,c/shop?target_session_attrs=read-write");
    ASSERT_TRUE(target.has_value());
    EXPECT_EQ(target->name(), "postgresql://a:1,[::1]:2,c:5432/shop");
    EXPECT_EQ(target->standby, "read-write");
    const auto words = PostgresTarget::from_url("host=a,b hostaddr=10.0.0.1,10.0.0.2 port=7");
    ASSERT_TRUE(words.has_value());
    ASSERT_EQ(words->servers.size(), 2u);
    EXPECT_EQ(words->servers[1].address, "10.0.0.2");
    EXPECT_EQ(words->servers[1].port, "7");
    EXPECT_EQ(PostgresTarget::from_url("dbname=x")->name(), "postgresql://the local socket/x");
    EXPECT_FALSE(PostgresTarget::from_url("host=a,b hostaddr=10.0.0.1").has_value());
}

TEST(PostgresTarget, TakesOptionsBesideTheUrl) {
    const auto target = PostgresTarget::from_options(Json{
        {"url", "postgresql://u@h/d"}, {"password", "pw"}, {"pool", 7}, {"connect_timeout", 1500}});
    ASSERT_TRUE(target.has_value());
    EXPECT_EQ(target->settings.at("password"), "pw");
    EXPECT_EQ(target->pool, 7u);
    EXPECT_EQ(target->dial, milliseconds(1500));
    const auto both =
        PostgresTarget::from_options(Json{{"url", "postgresql://u:mine@h/d?connect_timeout=10"},
                                          {"password", "pw"},
                                          {"connect_timeout", 1500}});
    EXPECT_EQ(both->settings.at("password"), "mine");
    EXPECT_EQ(both->dial, std::chrono::seconds(10));
    EXPECT_EQ(PostgresTarget::from_options(Json::object()).error().code, Errc::usage);
}

TEST(PostgresTarget, NeverRepeatsWhatItCannotRead) {
    // libpq's own messages quote what they do not understand.
    for (const std::string text :
         {"postgresql://u:hush/x@h/d", "password=hush hush", "postgresql://u:hush@[h/d",
          "host=h hush", "postgresql://u:a@hush@h/d", "postgresql://u:hush@h:x1/d?hush=1", "hush",
          "postgresql://u:%zzhush@h"}) {
        const auto target = PostgresTarget::from_url(text);
        ASSERT_FALSE(target.has_value()) << text;
        EXPECT_EQ(target.error().code, Errc::usage);
        EXPECT_EQ((target.error().text() + target.error().hint).find("hush"), std::string::npos);
    }
}

TEST(PostgresError, SortsStates) {
    const std::pair<const char*, Errc> kRows[] = {
        {"08P01", Errc::unavailable}, {"08006", Errc::unavailable}, {"57P01", Errc::unavailable},
        {"57P03", Errc::unavailable}, {"53300", Errc::unavailable}, {"53100", Errc::full},
        {"28P01", Errc::denied},      {"42501", Errc::denied},      {"23505", Errc::conflict},
        {"23502", Errc::conflict},    {"57014", Errc::timeout},     {"40001", Errc::conflict},
        {"40P01", Errc::conflict},    {"22P02", Errc::usage},       {"42601", Errc::usage},
        {"42P01", Errc::not_found},   {"25006", Errc::unavailable}, {"25P02", Errc::failed},
        {"P0001", Errc::failed},      {"55P03", Errc::timeout},     {"XX000", Errc::failed},
        {"", Errc::failed},
    };
    for (const auto& [state, code] : kRows) {
        EXPECT_EQ(errc_from_sqlstate(state), code) << state;
    }
    // A lost race and a server that is away are tried again; a value that does not fit is not.
    EXPECT_TRUE(info(errc_from_sqlstate("40P01")).retryable);
    EXPECT_FALSE(info(errc_from_sqlstate("22P02")).retryable);
    EXPECT_EQ(info(errc_from_sqlstate("40001")).fault, Fault::item);
    EXPECT_EQ(info(errc_from_sqlstate("57P02")).fault, Fault::sink);
}

TEST(PostgresResult, QuotesNamesAndBytes) {
    EXPECT_EQ(postgres_identifier("a\"b; c"), "\"a\"\"b; c\"");
    const std::string bytes("\0\x01\xff", 3);
    EXPECT_EQ(bytea_text(as_bytes(bytes)), "\\x0001ff");
    EXPECT_EQ(bytea_bytes("\\x0001ff").value(), bytes);
    EXPECT_EQ(bytea_bytes("\\x").value(), "");
    EXPECT_EQ(bytea_bytes("\\000").error().code, Errc::corrupt);
}

}  // namespace
}  // namespace musher
