#include "pipelines/trial/difference.h"

#include <algorithm>

namespace musher {

namespace {
constexpr int kContext = 3;      // lines that are shown around a difference
constexpr int kMostLines = 400;  // of each side that are compared

bool text_matches(std::string_view pattern, std::string_view text) {
    std::size_t star = pattern.find('*');
    if (star == std::string_view::npos) return pattern == text;
    if (!text.starts_with(pattern.substr(0, star))) return false;
    text.remove_prefix(star);
    pattern.remove_prefix(star + 1);
    for (star = pattern.find('*'); star != std::string_view::npos; star = pattern.find('*')) {
        const std::size_t at = text.find(pattern.substr(0, star));
        if (at == std::string_view::npos) return false;
        text.remove_prefix(at + star);
        pattern.remove_prefix(star + 1);
    }
    return text.ends_with(pattern);
}

bool is_control(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
}

bool is_plain(const std::string& text) {
    static const std::string kOdd = "&*!|>%@`'\"#{}[],?: ";
    if (text.empty() || text.front() == ' ' || text.back() == ' ') return false;
    if (kOdd.find(text.front()) != std::string::npos || text.front() == '-') return false;
    if (text.find(": ") != std::string::npos || text.find(" #") != std::string::npos) return false;
    if (text.back() == ':' || text == "true" || text == "false" || text == "null") return false;
    const bool number = text.find_first_not_of("0123456789.+-eE_") == std::string::npos;
    return !number && std::none_of(text.begin(), text.end(), is_control);
}

/// Text of several lines, and nothing in it that a terminal would obey.
bool is_block(const Json& value) {
    if (!value.is_string()) return false;
    const auto& text = value.get_ref<const std::string&>();
    return text.find('\n') != std::string::npos &&
           std::none_of(text.begin(), text.end(),
                        [](char c) { return is_control(c) && c != '\n' && c != '\t'; });
}

std::string scalar(const Json& value) {
    if (value.is_string() && is_plain(value.get_ref<const std::string&>())) {
        return value.get<std::string>();
    }
    return to_line(value);
}

std::vector<std::string> keys_of(const Json& map) {
    std::vector<std::string> keys;
    for (const char* first : {"step", "sink"}) {
        if (map.contains(first)) keys.emplace_back(first);
    }
    for (const auto& [key, value] : map.items()) {
        if (key != "step" && key != "sink") keys.push_back(key);
    }
    return keys;
}

void indent(const std::vector<std::string>& inner, const std::string& by,
            std::vector<std::string>& lines) {
    for (const std::string& line : inner) lines.push_back(by + line);
}

void add_entry(const std::string& key, const Json& value, std::vector<std::string>& lines) {
    if (value.is_structured() && !value.empty()) {
        lines.push_back(key + ":");
        indent(value_lines(value), value.is_object() ? "  " : "", lines);
    } else if (is_block(value)) {
        const auto& text = value.get_ref<const std::string&>();
        lines.push_back(key + (text.ends_with('\n') ? ": |" : ": |-"));
        indent(text_lines(text), "  ", lines);
    } else {
        lines.push_back(key + ": " + scalar(value));
    }
}
}  // namespace

std::vector<std::string> text_lines(const std::string& text) {
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        lines.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return lines;
}

bool matches(const Json& expected, const Json& actual) {
    return narrowed(expected, actual) == expected;
}

Json narrowed(const Json& expected, const Json& actual) {
    if (expected.is_object() && actual.is_object()) {
        Json shown = Json::object();
        for (const auto& [key, value] : expected.items()) {
            const auto found = actual.find(key);
            if (found != actual.end()) shown[key] = narrowed(value, *found);
        }
        return shown;
    }
    if (expected.is_array() && actual.is_array()) {
        Json shown = actual;
        for (std::size_t i = 0; i < shown.size() && i < expected.size(); ++i) {
            shown[i] = narrowed(expected[i], shown[i]);
        }
        return shown;
    }
    if (expected.is_string() && actual.is_string()) {
        const bool same = text_matches(expected.get_ref<const std::string&>(),
                                       actual.get_ref<const std::string&>());
        return same ? expected : actual;
    }
    return expected == actual ? expected : actual;
}

std::vector<std::string> value_lines(const Json& value) {
    std::vector<std::string> lines;
    if (value.is_object() && !value.empty()) {
        for (const std::string& key : keys_of(value)) add_entry(key, value[key], lines);
    } else if (value.is_array() && !value.empty()) {
        for (const Json& item : value) {
            std::vector<std::string> inner = value_lines(item);
            for (std::size_t i = 0; i < inner.size(); ++i) {
                lines.push_back((i == 0 ? "- " : "  ") + inner[i]);
            }
        }
    } else {
        lines.push_back(scalar(value));
    }
    return lines;
}

std::vector<std::pair<int, int>> align(int expected, int actual,
                                       const std::vector<std::vector<bool>>& match) {
    // best[i][j]: how many pairs the lists from i and j on can make.
    const auto rows = static_cast<std::size_t>(expected);
    const auto columns = static_cast<std::size_t>(actual);
    std::vector<std::vector<int>> best(rows + 1, std::vector<int>(columns + 1, 0));
    for (std::size_t i = rows; i-- > 0;) {
        for (std::size_t j = columns; j-- > 0;) {
            best[i][j] = std::max(best[i + 1][j], best[i][j + 1]);
            if (match[i][j]) best[i][j] = std::max(best[i][j], best[i + 1][j + 1] + 1);
        }
    }
    std::vector<std::pair<int, int>> pairs;
    std::size_t i = 0;
    std::size_t j = 0;
    while (i < rows || j < columns) {
        const bool both = i < rows && j < columns;
        if (both && match[i][j] && best[i][j] == best[i + 1][j + 1] + 1) {
            pairs.emplace_back(static_cast<int>(i++), static_cast<int>(j++));
        } else if (j == columns || (i < rows && best[i + 1][j] == best[i][j])) {
            pairs.emplace_back(static_cast<int>(i++), -1);
        } else {
            pairs.emplace_back(-1, static_cast<int>(j++));
        }
    }
    return pairs;
}

std::string line_difference(const std::vector<std::string>& expected,
                            const std::vector<std::string>& actual) {
    const int left = std::min(static_cast<int>(expected.size()), kMostLines);
    const int right = std::min(static_cast<int>(actual.size()), kMostLines);
    std::vector<std::vector<bool>> match(static_cast<std::size_t>(left));
    for (std::size_t i = 0; i < match.size(); ++i) {
        for (std::size_t j = 0; j < static_cast<std::size_t>(right); ++j) {
            match[i].push_back(expected[i] == actual[j]);
        }
    }
    const std::vector<std::pair<int, int>> pairs = align(left, right, match);
    const auto differs = [&](std::size_t at) {
        return pairs[at].first < 0 || pairs[at].second < 0;
    };
    std::string text;
    bool gap = false;
    for (std::size_t at = 0; at < pairs.size(); ++at) {
        bool near = false;
        for (int d = -kContext; d <= kContext; ++d) {
            const auto other = static_cast<std::ptrdiff_t>(at) + d;
            if (other < 0 || other >= static_cast<std::ptrdiff_t>(pairs.size())) continue;
            near = near || differs(static_cast<std::size_t>(other));
        }
        if (!near) {
            if (!std::exchange(gap, true)) text += "  …\n";
            continue;
        }
        gap = false;
        const auto [i, j] = pairs[at];
        const char* mark = i < 0 ? "+ " : j < 0 ? "- " : "  ";
        text +=
            mark +
            (i < 0 ? actual[static_cast<std::size_t>(j)] : expected[static_cast<std::size_t>(i)]) +
            "\n";
    }
    if (left < static_cast<int>(expected.size()) || right < static_cast<int>(actual.size())) {
        text += "  … (more lines are not compared)\n";
    }
    return text;
}

}  // namespace musher
