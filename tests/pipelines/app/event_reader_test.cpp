// Server-sent events, however they are cut into pieces.
#include "pipelines/app/event_reader.h"

#include <gtest/gtest.h>

namespace musher {
namespace {

constexpr std::string_view kStream =
    "retry: 2000\n\n: alive\n\nid: 1-0\nevent: job\ndata: {\"a\":1}\n\n"
    "data: one\r\ndata:two\r\n\r\nid: 1-1\nevent: only\n\ndata\n\n";

void look(const std::vector<ServerEvent>& found) {
    ASSERT_EQ(found.size(), 3u);
    EXPECT_EQ(found[0].id, "1-0");
    EXPECT_EQ(found[0].type, "job");
    EXPECT_EQ(found[0].data, "{\"a\":1}");
    EXPECT_EQ(found[1].id, "1-0") << "the last one that came";
    EXPECT_EQ(found[1].type, "message");
    EXPECT_EQ(found[1].data, "one\ntwo");
    EXPECT_EQ(found[2].data, "") << "an event without data is none, one with empty data is";
    EXPECT_EQ(found[2].id, "1-1");
}

TEST(EventReader, InOnePiece) { look(EventReader().take(kStream)); }

TEST(EventReader, ByteByByte) {
    EventReader reader;
    std::vector<ServerEvent> found;
    for (const char byte : kStream) {
        for (ServerEvent& event : reader.take(std::string_view(&byte, 1))) {
            found.push_back(std::move(event));
        }
    }
    look(found);
    EXPECT_FALSE(reader.broken());
}

TEST(EventReader, GivesUpOnAnEndlessLine) {
    EventReader reader;
    const std::string piece(1 << 16, 'x');
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(reader.take(piece).empty());
    EXPECT_TRUE(reader.broken());
}

}  // namespace
}  // namespace musher
