#include "reactor/base/text.h"

#include <algorithm>

namespace musher {

namespace {
/// The next code point, or -1 when the bytes there are not UTF-8; advances `at`.
long next_code_point(std::string_view bytes, std::size_t& at) noexcept {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
    const unsigned first = byte(at);
    std::size_t extra = 0;
    unsigned long value = first;
    if (first >= 0xf0 && first <= 0xf4) {
        extra = 3;
        value = first & 0x07u;
    } else if (first >= 0xe0 && first < 0xf0) {
        extra = 2;
        value = first & 0x0fu;
    } else if (first >= 0xc2 && first < 0xe0) {
        extra = 1;
        value = first & 0x1fu;
    } else if (first >= 0x80) {
        return -1;
    }
    if (at + extra >= bytes.size() + (extra == 0 ? 1 : 0)) return -1;
    for (std::size_t i = 1; i <= extra; ++i) {
        const unsigned next = byte(at + i);
        if ((next & 0xc0u) != 0x80u) return -1;
        value = (value << 6) | (next & 0x3fu);
    }
    constexpr unsigned long kSmallest[] = {0, 0x80, 0x800, 0x10000};
    if (value < kSmallest[extra] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) {
        return -1;
    }
    at += extra + 1;
    return static_cast<long>(value);
}

/// A code point, or the raw byte (moved out of Unicode's range) where the name is not UTF-8.
long next_unit(std::string_view bytes, std::size_t& at, bool fold_case) noexcept {
    const long point = next_code_point(bytes, at);
    if (point < 0) return 0x200000 + static_cast<unsigned char>(bytes[at++]);
    if (!fold_case) return point;
    if (point < 0x80) return point >= 'A' && point <= 'Z' ? point + 32 : point;
    // towlower follows the locale, and a daemon's is "C": fold the scripts people use here.
    if ((point >= 0xc0 && point <= 0xde && point != 0xd7) || (point >= 0x391 && point <= 0x3a9) ||
        (point >= 0x410 && point <= 0x42f)) {
        return point + 32;
    }
    if (point >= 0x400 && point <= 0x40f) return point + 80;
    if ((point >= 0x100 && point <= 0x137) || (point >= 0x460 && point <= 0x481)) return point | 1;
    return point;
}

/// Matches one [set] at `at`; leaves `at` behind it. False also for an unclosed set.
bool match_set(std::string_view pattern, std::size_t& at, long unit, bool fold_case) {
    std::size_t i = at + 1;
    bool negated = false;
    if (i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^')) {
        negated = true;
        ++i;
    }
    bool hit = false;
    bool first = true;
    while (i < pattern.size() && (first || pattern[i] != ']')) {
        first = false;
        const long low = next_unit(pattern, i, fold_case);
        long high = low;
        if (i + 1 < pattern.size() && pattern[i] == '-' && pattern[i + 1] != ']') {
            ++i;
            high = next_unit(pattern, i, fold_case);
        }
        if (unit >= low && unit <= high) hit = true;
    }
    if (i >= pattern.size()) return false;
    at = i + 1;
    return hit != negated;
}
/// `text` with the byte for each %XX that `meant` takes for one.
template <class Meant>
std::string unescape(std::string_view text, const Meant& meant) {
    std::string bytes;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool room = text[i] == '%' && i + 2 < text.size();
        const std::string_view form = room ? text.substr(i + 1, 2) : std::string_view();
        const auto code = from_hex(form);
        if (room && code && meant(form, code->front())) {
            bytes += static_cast<char>(code->front());
            i += 2;
        } else {
            bytes += text[i];
        }
    }
    return bytes;
}
}  // namespace

bool is_utf8(std::string_view bytes) noexcept {
    for (std::size_t at = 0; at < bytes.size();) {
        if (next_code_point(bytes, at) < 0) return false;
    }
    return true;
}

std::string escape_name(std::string_view bytes) {
    return is_utf8(bytes) ? std::string(bytes) : escape_bytes(bytes);
}

std::string escape_bytes(std::string_view bytes) {
    constexpr char kHex[] = "0123456789ABCDEF";
    std::string text;
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x80 && c != '%') {
            text += c;
        } else {
            text += {'%', kHex[byte >> 4], kHex[byte & 15]};
        }
    }
    return text;
}

std::string unescape_name(std::string_view text) {
    return unescape(text, [](std::string_view form, unsigned char byte) {
        const auto small = [](char c) { return c >= 'a' && c <= 'z'; };
        return (byte >= 0x80 || byte == '%') && std::none_of(form.begin(), form.end(), small);
    });
}

std::optional<std::string_view> nearest(std::string_view wanted,
                                        std::span<const std::string_view> candidates) {
    std::optional<std::string_view> best;
    std::size_t best_distance = wanted.size() / 3 + 2;
    for (const std::string_view candidate : candidates) {
        const auto [shorter, longer] = std::minmax({wanted.size(), candidate.size()});
        if (longer - shorter >= best_distance) continue;  // that many letters differ at least
        std::vector<std::size_t> row(candidate.size() + 1);
        for (std::size_t j = 0; j < row.size(); ++j) row[j] = j;
        for (std::size_t i = 1; i <= wanted.size(); ++i) {
            std::size_t diagonal = row[0];
            row[0] = i;
            for (std::size_t j = 1; j < row.size(); ++j) {
                const std::size_t above = row[j];
                const std::size_t change = wanted[i - 1] == candidate[j - 1] ? 0 : 1;
                row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + change});
                diagonal = above;
            }
        }
        if (row.back() < best_distance) {
            best_distance = row.back();
            best = candidate;
        }
    }
    return best;
}

bool glob_match(std::string_view pattern, std::string_view name, bool fold_case) {
    std::size_t p = 0;
    std::size_t n = 0;
    std::size_t star = std::string_view::npos;  // where to go on after the last '*'
    std::size_t star_name = 0;
    while (n < name.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = ++p;
            star_name = n;
            continue;
        }
        std::size_t next_name = n;
        const long unit = next_unit(name, next_name, fold_case);
        bool hit = false;
        std::size_t next_pattern = p;
        if (p < pattern.size()) {
            if (pattern[p] == '?') {
                hit = true;
                ++next_pattern;
            } else if (pattern[p] == '[') {
                hit = match_set(pattern, next_pattern, unit, fold_case);
            } else {
                hit = next_unit(pattern, next_pattern, fold_case) == unit;
            }
        }
        if (hit) {
            p = next_pattern;
            n = next_name;
        } else if (star != std::string_view::npos) {
            next_unit(name, star_name, fold_case);
            n = star_name;
            p = star;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*') ++p;
    return p == pattern.size();
}

bool is_glob(std::string_view pattern) {
    for (std::size_t at = 0; at < pattern.size();) {
        if (pattern[at] != '[') {
            ++at;
            continue;
        }
        const std::size_t before = at;
        match_set(pattern, at, 0, false);
        if (at == before) return false;
    }
    return !pattern.empty();
}

std::string url_encode(std::string_view text) {
    constexpr char kHex[] = "0123456789ABCDEF";
    std::string encoded;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '~';
        if (plain) {
            encoded += c;
        } else {
            encoded += {'%', kHex[byte >> 4], kHex[byte & 15]};
        }
    }
    return encoded;
}

std::string url_decode(std::string_view text) {
    return unescape(text, [](std::string_view, unsigned char) { return true; });
}

std::string to_hex(std::span<const unsigned char> bytes) {
    constexpr char kHex[] = "0123456789abcdef";
    std::string text;
    text.reserve(bytes.size() * 2);
    for (const unsigned char byte : bytes) text += {kHex[byte >> 4], kHex[byte & 15]};
    return text;
}

std::optional<std::vector<unsigned char>> from_hex(std::string_view text) {
    const auto digit = [](char c) {
        if (c >= '0' && c <= '9') return c - '0';
        if (c >= 'a' && c <= 'f') return c - 'a' + 10;
        if (c >= 'A' && c <= 'F') return c - 'A' + 10;
        return -1;
    };
    if (text.size() % 2 != 0) return std::nullopt;
    std::vector<unsigned char> bytes;
    for (std::size_t i = 0; i < text.size(); i += 2) {
        const int high = digit(text[i]);
        const int low = digit(text[i + 1]);
        if (high < 0 || low < 0) return std::nullopt;
        bytes.push_back(static_cast<unsigned char>(high * 16 + low));
    }
    return bytes;
}

std::string cut(std::string_view text, std::size_t most) {
    if (text.size() <= most) return std::string(text);
    while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xc0) == 0x80) --most;
    return std::string(text.substr(0, most)) + "…";
}

std::string counted(std::uint64_t count, std::string_view noun) {
    std::string text = std::to_string(count).append(1, ' ').append(noun);
    return count == 1 ? text : text + "s";
}

bool is_identifier(std::string_view text) noexcept {
    if (text.empty() || text.size() > 64) return false;
    return std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    });
}

}  // namespace musher
