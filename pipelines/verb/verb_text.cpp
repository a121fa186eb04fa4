#include "pipelines/verb/verb_text.h"

#include <fmt/format.h>

#include <algorithm>

namespace musher {

std::string table(const std::vector<std::vector<std::string>>& rows) {
    std::vector<std::size_t> widths;
    for (const auto& row : rows) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    }
    std::string text;
    for (const auto& row : rows) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i) {
            line += i + 1 < row.size() ? fmt::format("{:<{}}  ", row[i], widths[i]) : row[i];
        }
        text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
    }
    return text;
}

std::string shown(const Json& value) {
    if (value.is_null()) return "-";
    if (!value.is_string()) return to_line(value);
    const auto& text = value.get_ref<const std::string&>();
    std::string harmless;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        const bool c1 =
            byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;
        if (byte < 0x20 || byte == 0x7f) {
            harmless += fmt::format("\\x{:02x}", byte);
        } else if (c1) {
            harmless += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[++i]));
        } else {
            harmless += text[i];
        }
    }
    return harmless;
}

std::string age(std::int64_t ms) {
    if (ms < 1000) return fmt::format("{}ms", ms);
    if (ms < 120'000) return fmt::format("{}s", ms / 1000);
    if (ms < 7'200'000) return fmt::format("{}m", ms / 60'000);
    return fmt::format("{}h", ms / 3'600'000);
}

}  // namespace musher
