// The table of `musher top`.
#include "pipelines/app/top_table.h"

#include <gtest/gtest.h>

namespace musher {
namespace {

Json row(const std::string& name, int waiting, int ended) {
    return Json{{"name", name},   {"state", "running"}, {"waiting", waiting}, {"delayed", 0},
                {"running", 0},   {"done", 0},          {"dead", 0},          {"oldest_ms", 0},
                {"ended", ended}, {"problem", nullptr}};
}

Json status(const Json& rows) {
    return Json{{"version", "1"}, {"node", "n"}, {"queue", {{"ok", true}}}, {"pipelines", rows}};
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    for (std::size_t from = 0; from <= text.size();) {
        const std::size_t end = std::min(text.find('\n', from), text.size());
        lines.push_back(text.substr(from, end - from));
        from = end + 1;
    }
    return lines;
}

TEST(TopTable, RatesAreOfTheTimeBetween) {
    Rates rates;
    const Instant start{};
    rates.take(status(Json::array({row("a", 0, 100)})), start + std::chrono::seconds(1));
    EXPECT_EQ(rates.of("a"), std::nullopt);
    rates.take(status(Json::array({row("a", 0, 105), row("b", 0, 7)})),
               start + std::chrono::seconds(3));
    EXPECT_EQ(rates.of("a"), std::optional<double>(2.5));
    EXPECT_EQ(rates.of("b"), std::nullopt);
    rates.take(status(Json::array({row("a", 0, 1)})), start + std::chrono::seconds(4));
    EXPECT_EQ(rates.of("a"), std::optional<double>(0)) << "a new queue, not a negative rate";
}

TEST(TopTable, OrdersByWhatIsAsked) {
    const Json all = status(Json::array({row("c", 1, 0), row("a", 5, 0), row("b", 5, 0)}));
    const auto names = [&](TopView view) {
        std::string found;
        for (const std::string& line : lines_of(top_text(all, Rates(), view))) {
            if (line.size() > 2 && line[1] == ' ') found += line[0];
        }
        return found;
    };
    TopView view;
    EXPECT_EQ(names(view), "abc");
    view.reverse = true;
    EXPECT_EQ(names(view), "cba");
    view.order = TopOrder::waiting;
    view.reverse = false;
    EXPECT_EQ(names(view), "abc");
    view.reverse = true;
    EXPECT_EQ(names(view), "cba");
    EXPECT_EQ(top_order('d'), std::optional(TopOrder::dead));
    EXPECT_EQ(top_order('x'), std::nullopt);
    EXPECT_EQ(top_order(std::string_view("oldest")), std::optional(TopOrder::oldest));
}

TEST(TopTable, FitsTheScreen) {
    Json rows = Json::array();
    for (int i = 0; i < 100; ++i) rows.push_back(row("pipeline-" + std::to_string(i), i, 0));
    rows[0]["problem"] = "größer als der Schirm, viel größer als er";
    TopView view;
    for (const int columns : {1, 20, 79, 200}) {
        for (const int height : {4, 5, 24}) {
            view.screen = ScreenSize{columns, height};
            const auto lines = lines_of(top_text(status(rows), Rates(), view));
            EXPECT_LE(lines.size(), static_cast<std::size_t>(height));
            for (const std::string& line : lines) {
                std::size_t shown = 0;
                for (const char byte : line) {
                    shown += (static_cast<unsigned char>(byte) & 0xc0) != 0x80 ? 1 : 0;
                }
                if (line.starts_with('\x1b')) shown -= 7;  // inverse and back
                EXPECT_LE(shown, static_cast<std::size_t>(columns)) << line;
            }
        }
    }
}

TEST(TopTable, SaysWhyItIsOld) {
    TopView view;
    view.screen = ScreenSize{};
    EXPECT_NE(top_text(status(Json::array()), Rates(), view).find("q quit"), std::string::npos);
    view.notice = "no musher answers";
    EXPECT_TRUE(top_text(status(Json::array()), Rates(), view).ends_with("no musher answers"));
}

}  // namespace
}  // namespace musher
