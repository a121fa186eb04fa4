// Durations, sizes, times, names, globs, digests and ids.
#include <gtest/gtest.h>

#include "reactor/base/clock.h"
#include "reactor/base/digest.h"
#include "reactor/base/json.h"
#include "reactor/base/private_file.h"
#include "reactor/base/text.h"
#include "reactor/base/uuid.h"

namespace musher {
namespace {

TEST(Duration, ReadsAndWritesTheContractsForms) {
    for (const char* text : {"250ms", "2s", "5m", "1h", "7d", "90s"}) {
        EXPECT_EQ(format_duration(parse_duration(text).value()), text);
    }
    for (const char* text : {"", "5", "s", "-1s", "1.5s", "5 s", "99999999999d"}) {
        EXPECT_EQ(parse_duration(text).error().code, Errc::usage) << text;
    }
}
TEST(Size, ReadsAndWritesTheContractsForms) {
    EXPECT_EQ(parse_size("64KiB").value(), 65536u);
    EXPECT_EQ(parse_size("2GiB").value(), 2ull << 30);
    EXPECT_EQ(parse_size("512").value(), 512u);
    EXPECT_EQ(format_size(10ull << 20), "10MiB");
    EXPECT_FALSE(parse_size("10MB").has_value());
}
TEST(Time, IsRfc3339WithMilliseconds) {
    EXPECT_EQ(format_time(1'700'000'000'123), "2023-11-14T22:13:20.123Z");
    EXPECT_EQ(format_time(0), "1970-01-01T00:00:00.000Z");
    EXPECT_EQ(format_time(-1), "1969-12-31T23:59:59.999Z");
    EXPECT_EQ(format_time(1'709'164'800'007), "2024-02-29T00:00:00.007Z");
    EXPECT_EQ(format_time(INT64_MAX), "9999-12-31T23:59:59.999Z");
    EXPECT_EQ(format_time(INT64_MIN), "0000-01-01T00:00:00.000Z");
    EXPECT_EQ(format_date(1'700'000'000'000, "UTC").value(), "2023-11-14");
    EXPECT_EQ(format_date(0, "../../etc/passwd").error().code, Errc::usage);
}
TEST(Time, AZoneLeavesTheEnvironmentInItsPlace) {
    unsetenv("TZ");
    EXPECT_EQ(format_date(1'700'000'000'000, "Asia/Tokyo").value(), "2023-11-15");
    // Other threads read it meanwhile: no entry may come and go.
    const char* const local = std::getenv("TZ");
    ASSERT_NE(local, nullptr);
    EXPECT_STREQ(local, ":/etc/localtime");
    EXPECT_EQ(format_date(1'700'000'000'000, "Europe/Vienna").value(), "2023-11-14");
    EXPECT_STREQ(std::getenv("TZ"), ":/etc/localtime");
}
TEST(Time, IsReadInAnyOffset) {
    EXPECT_EQ(parse_time("2023-11-14T22:13:20.123Z").value(), 1'700'000'000'123);
    EXPECT_EQ(parse_time("2023-11-15T00:13:20+02:00").value(), 1'700'000'000'000);
    EXPECT_EQ(parse_time("2023-11-14 17:43:20.1234567-04:30").value(), 1'700'000'000'123);
    for (const char* text :
         {"", "2023-11-14", "2023-13-14T22:13:20Z", "2023-11-14T22:13:20", "2023-11-14T22:13:20.Z",
          "2023-11-14T22:13:20Zx", "-023-11-14T22:13:20Z"}) {
        EXPECT_EQ(parse_time(text).error().code, Errc::usage) << text;
    }
    EXPECT_EQ(format_local(1'700'000'000'000, "UTC", "%Y/%m at %H:%M").value(), "2023/11 at 22:13");
}
TEST(Names, CountedThingsHaveTheirPlural) {
    EXPECT_EQ(counted(0, "file"), "0 files");
    EXPECT_EQ(counted(1, "file"), "1 file");
    EXPECT_EQ(counted(2, "file"), "2 files");
}
TEST(Names, BytesThatAreNotUtf8ArePercentEscaped) {
    EXPECT_EQ(escape_name("счёт 1.pdf"), "счёт 1.pdf");
    EXPECT_EQ(escape_name("a\xff%b"), "a%FF%25b");
    EXPECT_EQ(unescape_name("a%FF%25b"), "a\xff%b");
    EXPECT_EQ(unescape_name("%2E%2e%2F%00%ff%5C"), "%2E%2e%2F%00%ff%5C") << "never escaped so";
    EXPECT_EQ(escape_bytes("a%ä"), "a%25%C3%A4");
    EXPECT_EQ(unescape_name(escape_bytes("a%ä")), "a%ä");
    EXPECT_FALSE(is_utf8("\xc0\x80"));
    EXPECT_FALSE(is_utf8("\xed\xa0\x80"));
    EXPECT_FALSE(is_utf8("\xe2\x82"));
    EXPECT_TRUE(is_utf8("\xf0\x9f\x98\x80"));
}
TEST(PrivateFile, OnlyRootMayLetItsGroupRead) {
    const auto verdict = [](uid_t owner, mode_t mode) {
        struct stat info{};
        info.st_uid = owner;
        info.st_mode = mode;
        const Result<void> closed = check_private(info, "the key k", "/etc/k");
        return closed ? "" : closed.error().message + "; " + closed.error().hint;
    };
    for (const mode_t mode : {0600u, 0400u, 0700u}) EXPECT_EQ(verdict(1000, S_IFREG | mode), "");
    for (const mode_t mode : {0400u, 0440u, 0640u}) EXPECT_EQ(verdict(0, S_IFREG | mode), "");
    EXPECT_EQ(verdict(1000, S_IFREG | 0640),
              "the key k can be read by others (mode 0640); chmod 600 /etc/k");
    EXPECT_EQ(verdict(0, S_IFREG | 0444),
              "the key k can be read by others (mode 0444); chmod 600 /etc/k");
    EXPECT_EQ(verdict(0, S_IFREG | 0660),
              "the key k can be changed by others (mode 0660); chmod 600 /etc/k");
}
TEST(Urls, ArePercentEncoded) {
    EXPECT_EQ(url_encode("a b&c=ä~"), "a%20b%26c%3D%C3%A4~");
    EXPECT_EQ(url_decode("a%20b%26c%3d%C3%A4~%2F%"), "a b&c=ä~/%");
}
TEST(Glob, HasAnEnd) {
    for (const char* good : {"*", "a[0-9]b", "[]]", "[!]a]*", "a]"})
        EXPECT_TRUE(is_glob(good)) << good;
    for (const char* bad : {"", "[a", "a[", "[]", "x[!]"}) EXPECT_FALSE(is_glob(bad)) << bad;
}
TEST(Glob, MatchesWholeNames) {
    EXPECT_TRUE(glob_match("*.pdf", "A.PDF", true));
    EXPECT_FALSE(glob_match("*.pdf", "A.PDF", false));
    EXPECT_TRUE(glob_match("СЧЁТ*.txt", "счёт 7.txt", true));
    EXPECT_TRUE(glob_match("a[0-9]?.x", "a7я.x", false));
    EXPECT_FALSE(glob_match("a[!0-9]", "a7", false));
    EXPECT_TRUE(glob_match("*a*b*c", "xxaxxbxxabc", false));
    EXPECT_FALSE(glob_match("*.tmp", "tmp", false));
    EXPECT_TRUE(glob_match("\xff*", "\xff\xfe", false));
    EXPECT_FALSE(glob_match("[", "[", false));
    EXPECT_TRUE(glob_match("", "", false));
}
TEST(Nearest, FindsWhatWasMeant) {
    const std::string_view known[] = {"recursive", "match", "settle"};
    EXPECT_EQ(nearest("recursiv", known).value(), "recursive");
    EXPECT_EQ(nearest("setle", known).value(), "settle");
    EXPECT_FALSE(nearest("qqqqqqq", known).has_value());
}
TEST(JsonText, IsQuotedAndWeighedAsItWouldBeWritten) {
    for (const char* text : {"", "plain", "a\"b\\c\n", "Müller", "\x7f"}) {
        std::string out = "x";
        append_quoted(out, text);
        EXPECT_EQ(out, "x" + to_line(Json(text)));
    }
    const Json value{{"name", std::string(5000, 'x')}, {"list", {1, 2, 3}}, {"none", nullptr}};
    EXPECT_NEAR(double(weight_of(value)), double(to_line(value).size()), 30);
}

TEST(JsonText, IsRefusedWhenNestedTooDeep) {
    EXPECT_TRUE(parse_json(std::string(500, '[') + std::string(500, ']')).has_value());
    EXPECT_EQ(parse_json(std::string(100'000, '[')).error().message,
              "JSON nested over 512 levels deep");
    EXPECT_TRUE(parse_json("{\"a\\\"[[[\": \"" + std::string(10'000, '{') + "\"}").has_value());
}
TEST(JsonText, FromOutsideCanBeReadAgainWithWhatIsAroundIt) {
    const std::string deepest = std::string(512, '[') + std::string(512, ']');
    EXPECT_TRUE(parse_json(deepest).has_value());
    const std::string record = "{\"a\":{\"b\":[" + deepest + "]}}";
    EXPECT_FALSE(parse_json(record).has_value());
    EXPECT_TRUE(parse_own_json(record).has_value());
}
TEST(JsonText, OfAFaultIsNotAllOfTheText) {
    const Error error = parse_json("\"" + std::string(100'000, 'x')).error();
    EXPECT_TRUE(error.message.starts_with("not JSON: "));
    EXPECT_LT(error.message.size(), 400u);
}
TEST(Errors, KeepTheirRetryAfterThroughJson) {
    Error error(Errc::unavailable, "the server answered 429");
    EXPECT_FALSE(to_json(error).contains("retry_after_ms"));
    error.retry_after = milliseconds(1500);
    EXPECT_EQ(error_from_json(to_json(error)).retry_after, error.retry_after);
}
TEST(Digests, AreThoseOfTheirStandards) {
    const auto hex = [](DigestKind kind, std::size_t size, std::size_t piece) {
        const std::string bytes(piece, 'a');
        Digest digest(kind);
        for (; size > 0; size -= std::min(size, piece)) {
            digest.update(as_bytes(bytes).first(std::min(size, piece)));
        }
        return digest.hex();
    };
    constexpr std::size_t kMillion = 1'000'000;
    for (const std::size_t piece : {1u, 63u, 64u, 4096u, 1'000'000u}) {
        EXPECT_EQ(hex(DigestKind::sha256, kMillion, piece),
                  "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
        EXPECT_EQ(hex(DigestKind::sha1, kMillion, piece),
                  "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
        EXPECT_EQ(hex(DigestKind::md5, kMillion, piece), "7707d6ae4e027c70eea2a935c2296f21");
    }
    EXPECT_EQ(hex(DigestKind::sha1, 0, 1), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    for (const std::string_view name : {"sha256", "sha1", "md5"}) {
        EXPECT_EQ(digest_name(parse_digest(name).value()), name);
    }
    EXPECT_EQ(parse_digest("sha512").error().code, Errc::usage);
}
TEST(Ids, Uuid7SortsByTimeAndNamesAreStable) {
    const std::string early = new_uuid7(1000);
    const std::string late = new_uuid7(2000);
    EXPECT_LT(early, late);
    EXPECT_TRUE(is_uuid(early));
    EXPECT_EQ(early[14], '7');
    EXPECT_EQ(uuid_of("a"), uuid_of("a"));
    EXPECT_NE(uuid_of("a"), uuid_of("b"));
}

}  // namespace
}  // namespace musher
