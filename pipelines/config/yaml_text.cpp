#include "pipelines/config/yaml_text.h"

#include <fmt/format.h>

#include "reactor/base/text.h"

namespace musher {

YamlText::YamlText(const std::string& text, const std::string& file)
    : text_(text), file_(std::make_shared<const std::string>(file)) {
    if (text_.starts_with("\xef\xbb\xbf")) text_.remove_prefix(3);
    lines_.push_back(0);
    for (std::size_t end = text_.find('\n'); end != std::string_view::npos;
         end = text_.find('\n', end + 1)) {
        lines_.push_back(end + 1);
    }
}

std::string_view YamlText::line(int number) const {
    if (number < 1 || static_cast<std::size_t>(number) > lines_.size()) return {};
    const std::size_t from = lines_[static_cast<std::size_t>(number - 1)];
    std::string_view line = text_.substr(from, text_.find('\n', from) - from);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
}

Position YamlText::at(int line, int byte_column) const {
    if (line < 0 || byte_column < 0) return start();
    if (static_cast<std::size_t>(line) >= lines_.size()) return Position{file_, line + 1, 1};
    if (last_.line != line) last_ = Mark{line, 0, 1};
    const std::size_t start = lines_[static_cast<std::size_t>(line)];
    const std::size_t bytes = std::min(static_cast<std::size_t>(byte_column), text_.size() - start);
    const auto [from, to] = std::minmax(bytes, last_.bytes);
    const std::string_view between = text_.substr(start + from, to - from);
    const auto points = static_cast<int>(std::count_if(between.begin(), between.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xc0u) != 0x80u;
    }));
    last_.column += bytes < last_.bytes ? -points : points;
    last_.bytes = bytes;
    return Position{file_, line + 1, last_.column};
}

Position YamlText::at_offset(std::size_t offset) const {
    const auto next = std::upper_bound(lines_.begin(), lines_.end(), offset);
    const std::size_t line = static_cast<std::size_t>(next - lines_.begin()) - 1;
    return at(static_cast<int>(line), static_cast<int>(offset - lines_[line]));
}

bool YamlText::check_characters(std::vector<Problem>& problems) const {
    const std::size_t before = problems.size();
    const auto report = [&](std::size_t offset, const char* code, std::string message,
                            const char* hint) {
        problems.push_back(
            Problem{at_offset(offset), Problem::Severity::error, code, std::move(message), hint});
    };
    if (!is_utf8(text_)) {
        std::size_t line = 0;
        while (is_utf8(this->line(static_cast<int>(line) + 1))) ++line;
        const std::string_view bytes = this->line(static_cast<int>(line) + 1);
        std::size_t good = 0;  // the longest prefix of whole characters
        for (std::size_t next = 0; next < bytes.size(); ++next) {
            if ((static_cast<unsigned char>(bytes[next]) & 0xc0u) == 0x80u) continue;
            if (!is_utf8(bytes.substr(good, next - good))) break;
            good = next;
        }
        report(lines_[line] + good, "not_utf8",
               fmt::format("the file is not UTF-8: byte 0x{:02X} at offset {}",
                           static_cast<unsigned char>(bytes[good]), lines_[line] + good),
               "save it as UTF-8");
        return false;
    }
    const auto is_control = [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return (byte < 0x20 && c != '\t' && c != '\n' && c != '\r') || byte == 0x7f;
    };
    const auto found = std::find_if(text_.begin(), text_.end(), is_control);
    if (found != text_.end()) {
        report(static_cast<std::size_t>(found - text_.begin()), "control_character",
               fmt::format("the control character 0x{:02X} cannot stand in YAML",
                           static_cast<unsigned char>(*found)),
               "remove it, or write it as an escape inside \"…\"");
    }
    return problems.size() == before;
}

std::size_t YamlText::skip_properties(std::size_t offset) const {
    while (offset < text_.size() && (text_[offset] == '!' || text_[offset] == '&')) {
        offset = text_.find_first_of(" \t\r\n", offset);
        offset = text_.find_first_not_of(" \t\r\n", std::min(offset, text_.size()));
    }
    return std::min(offset, text_.size());
}

std::size_t YamlText::closing_quote(std::size_t open) const {
    const char quote = text_[open];
    for (std::size_t i = open + 1; i < text_.size(); ++i) {
        if (quote == '"' && text_[i] == '\\') {
            ++i;
        } else if (text_[i] == quote) {
            if (quote == '"' || i + 1 == text_.size() || text_[i + 1] != quote) return i;
            ++i;
        }
    }
    return std::string_view::npos;
}

bool YamlText::is_closed(std::size_t offset) const {
    offset = skip_properties(offset);
    if (offset == text_.size() || (text_[offset] != '"' && text_[offset] != '\'')) return true;
    return closing_quote(offset) != std::string_view::npos;
}

bool YamlText::is_quoted_line(std::size_t offset) const {
    if (offset >= text_.size() || (text_[offset] != '"' && text_[offset] != '\'')) return false;
    const std::size_t close = closing_quote(offset);
    return close != std::string_view::npos &&
           text_.substr(offset, close - offset).find('\n') == std::string_view::npos;
}

int YamlText::block_column(std::size_t offset) const {
    if (offset >= text_.size() || text_[offset] != '|') return 0;
    const std::size_t end = text_.find('\n', offset);
    if (end == std::string_view::npos) return 0;
    const std::string_view header = text_.substr(offset, end - offset);
    if (header.substr(0, header.find('#')).find_first_of("123456789") != std::string_view::npos) {
        return 0;  // the indentation is not that of the first line
    }
    const std::size_t first = text_.find_first_not_of(" \r\n", end);
    if (first == std::string_view::npos) return 0;
    return static_cast<int>(first - text_.rfind('\n', first));
}

}  // namespace musher
