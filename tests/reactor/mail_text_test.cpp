// The text forms of mail, byte by byte. mail_test has Python's email package read them back.
#include "reactor/drivers/mail_text.h"

#include <gtest/gtest.h>

namespace musher {
namespace {

TEST(MailText, ReadsAddresses) {
    const std::tuple<const char*, const char*, const char*> kGood[] = {
        {"a@b.example", "", "a@b.example"},
        {"  Jo <jo+x@b.example> ", "Jo", "jo+x@b.example"},
        {"\"Last, \\\"F\\\"\" <a@[127.0.0.1]>", "Last, \"F\"", "a@[127.0.0.1]"},
        {"Jörg <a@b>", "Jörg", "a@b"},
    };
    for (const auto& [text, name, address] : kGood) {
        const Result<MailAddress> read = MailAddress::parse(text);
        ASSERT_TRUE(read.has_value()) << text;
        EXPECT_EQ(read->name, name);
        EXPECT_EQ(read->address, address);
    }
    const char* const kWrong[] = {"",
                                  "a",
                                  "a@",
                                  "@b",
                                  "a b@c",
                                  "a@b c",
                                  "<a@b",
                                  "jö@b.example",
                                  "a@bö.example",
                                  "a@b\nBcc: c@d",
                                  "A\r\nX: y <a@b>",
                                  "a..b@c",
                                  "a@b>",
                                  "A <a@b> c",
                                  "a@b,c@d",
                                  "x> <a@b>\n"};
    for (const char* text : kWrong) EXPECT_FALSE(MailAddress::parse(text).has_value()) << text;
    const auto list = parse_addresses("a@b, \"X, Y\" <c@d>,");
    ASSERT_TRUE(list.has_value());
    ASSERT_EQ(list->size(), 2u);
    EXPECT_EQ(list->at(1).name, "X, Y");
    EXPECT_FALSE(parse_addresses("a@b, c").has_value());
    EXPECT_FALSE(parse_addresses("a@b, \"c\\").has_value()) << "an entry without an end";
}

TEST(MailText, WritesHeaders) {
    EXPECT_EQ(mail_header("Subject", "plain"), "Subject: plain\r\n");
    EXPECT_EQ(mail_header("Subject", "ä"), "Subject: =?utf-8?B?w6Q=?=\r\n");
    EXPECT_EQ(mail_header("Subject", "=?x?="), "Subject: =?utf-8?B?PT94Pz0=?=\r\n");
    for (const char* unit : {"x", "ä", "€", "😀"}) {
        std::string text;
        for (int i = 0; i < 200; ++i) text += unit;
        const std::string header = mail_header("Subject", text);
        for (std::size_t from = 0; from < header.size();) {
            const std::size_t end = header.find("\r\n", from);
            ASSERT_LE(end - from, 76u) << header;
            from = end + 2;
        }
    }
    EXPECT_EQ(mail_file_name("a.pdf"), "filename=\"a.pdf\"");
    EXPECT_EQ(mail_file_name("a\"\r\n.pdf"), "filename*=utf-8''a%22%0D%0A.pdf");
    EXPECT_EQ(mail_date(1'700'000'000'000), "Tue, 14 Nov 2023 22:13:20 +0000");
    const MailAddress quoted{"Last, \"F\"", "a@b"};
    EXPECT_EQ(quoted.header_text(), "\"Last, \\\"F\\\"\"\r\n <a@b>");
}

TEST(MailText, EncodesContent) {
    EXPECT_EQ(quoted_printable("a = ö\nb \n\tc\r\n"), "a =3D =C3=B6\r\nb=20\r\n\tc\r\n");
    EXPECT_EQ(quoted_printable(""), "");
    EXPECT_EQ(quoted_printable("a\rb"), "a=0Db\r\n");
    const std::string folded = quoted_printable(std::string(100, 'x'));
    EXPECT_EQ(folded, std::string(75, 'x') + "=\r\n" + std::string(25, 'x') + "\r\n");
    EXPECT_EQ(base64_lines(std::string(58, '\0')), std::string(76, 'A') + "\r\n" + "AA==\r\n");
}

}  // namespace
}  // namespace musher
