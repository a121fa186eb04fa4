#include "reactor/drivers/mail_text.h"

#include <openssl/evp.h>

#include <algorithm>

#include "reactor/base/clock.h"
#include "reactor/base/text.h"

namespace musher {

namespace {
constexpr std::size_t kLine = 76;
constexpr std::size_t kWordBytes = 39;  // of text in one encoded word: short enough for any header

bool is_alphanumeric(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}
/// Text of the characters that need no quoting between dots (RFC 5322's dot-atom).
bool is_dot_atom(std::string_view text) {
    constexpr std::string_view kMarks = "!#$%&'*+-/=?^_`{|}~";
    if (text.empty() || text.front() == '.' || text.back() == '.') return false;
    if (text.find("..") != text.npos) return false;
    return std::all_of(text.begin(), text.end(), [&](char c) {
        return is_alphanumeric(c) || c == '.' || kMarks.find(c) != kMarks.npos;
    });
}
bool is_domain(std::string_view text) {
    if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
    if (text.empty() || text.front() == '.' || text.back() == '.') return false;
    return std::all_of(text.begin(), text.end(), [](char c) {
        return is_alphanumeric(c) || c == '.' || c == '-' || c == ':';
    });
}
bool is_ascii(std::string_view text) {
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}
std::string_view trimmed(std::string_view text) {
    const std::size_t from = std::min(text.find_first_not_of(" \t"), text.size());
    text.remove_prefix(from);
    const std::size_t last = text.find_last_not_of(" \t");
    return text.substr(0, last == text.npos ? 0 : last + 1);
}

std::string base64(std::string_view bytes) {
    std::string out(4 * ((bytes.size() + 2) / 3) + 1, '\0');
    const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                     reinterpret_cast<const unsigned char*>(bytes.data()),
                                     static_cast<int>(bytes.size()));
    out.resize(static_cast<std::size_t>(size));
    return out;
}

/// RFC 2047: never cut inside a character, and a fold between two words is no blank.
std::string encoded_words(std::string_view text) {
    const std::string sound = is_utf8(text) ? std::string(text) : escape_name(text);
    std::string out;
    for (std::size_t from = 0; from < sound.size();) {
        std::size_t end = std::min(from + kWordBytes, sound.size());
        while (end < sound.size() && (static_cast<unsigned char>(sound[end]) & 0xc0) == 0x80) --end;
        if (from > 0) out += "\r\n ";
        out += "=?utf-8?B?" + base64(std::string_view(sound).substr(from, end - from)) + "?=";
        from = end;
    }
    return out;
}

std::string quoted_string(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + '"';
}
std::string unquoted(std::string_view text) {
    if (text.size() < 2 || text.front() != '"' || text.back() != '"') return std::string(text);
    std::string out;
    for (std::size_t i = 1; i + 1 < text.size(); ++i) {
        if (text[i] == '\\' && i + 2 < text.size()) ++i;
        out += text[i];
    }
    return out;
}
}  // namespace

bool is_mail_line(std::string_view text) {
    return std::none_of(text.begin(), text.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return (byte < 0x20 && c != '\t') || byte == 0x7f;
    });
}

Result<MailAddress> MailAddress::parse(std::string_view text) {
    if (!is_mail_line(text)) {
        return fail(Errc::usage, "an address holds a line break or control character");
    }
    text = trimmed(text);
    MailAddress parsed;
    std::string_view address = text;
    if (text.ends_with('>')) {
        const std::size_t open = text.rfind('<');
        if (open != text.npos) {
            parsed.name = unquoted(trimmed(text.substr(0, open)));
            address = text.substr(open + 1, text.size() - open - 2);
        }
    }
    const std::size_t at = address.rfind('@');
    const bool sound = at != address.npos && is_dot_atom(address.substr(0, at)) &&
                       is_domain(address.substr(at + 1)) && address.size() <= 254;
    if (!sound) {
        return fail(Errc::usage, "`" + std::string(text) + "` is no address",
                    "write name@example.com or \"Name <name@example.com>\"; other letters than "
                    "ASCII only in the name");
    }
    parsed.address = address;
    return parsed;
}

std::string MailAddress::header_text() const {
    if (name.empty()) return address;
    const bool plain = is_ascii(name) && name.size() < 60 && name.find("=?") == std::string::npos;
    return (plain ? quoted_string(name) : encoded_words(name)) + "\r\n <" + address + ">";
}

Result<std::vector<MailAddress>> parse_addresses(std::string_view list) {
    std::vector<MailAddress> all;
    bool in_quotes = false;
    std::size_t from = 0;
    for (std::size_t i = 0; i <= list.size(); ++i) {
        const char c = i < list.size() ? list[i] : ',';
        if (c == '\\' && in_quotes && i + 1 < list.size()) ++i;
        if (c == '"') in_quotes = !in_quotes;
        if (c != ',' || (in_quotes && i < list.size())) continue;
        const std::string_view one = list.substr(from, i - from);
        from = i + 1;
        if (trimmed(one).empty()) continue;
        MUSHER_TRY(MailAddress address, MailAddress::parse(one));
        all.push_back(std::move(address));
    }
    return all;
}

std::string mail_header(std::string_view name, std::string_view text) {
    const std::string start = std::string(name) + ": ";
    const bool plain = is_ascii(text) && start.size() + text.size() <= kLine + 2 &&
                       text.find("=?") == text.npos && text == trimmed(text);
    return start + (plain ? std::string(text) : encoded_words(text)) + "\r\n";
}

std::string mail_file_name(std::string_view name) {
    const std::string sound = is_utf8(name) ? std::string(name) : escape_name(name);
    const bool plain = std::all_of(sound.begin(), sound.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\' && c != '/';
    });
    return plain ? "filename=\"" + sound + "\"" : "filename*=utf-8''" + url_encode(sound);
}

std::string quoted_printable(std::string_view text) {
    constexpr std::string_view kHex = "0123456789ABCDEF";
    std::string out;
    std::size_t column = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
        if (c == '\n') {
            out += "\r\n";
            column = 0;
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        const bool at_end = i + 1 == text.size() || text[i + 1] == '\n' || text[i + 1] == '\r';
        const bool blank = c == ' ' || c == '\t';
        const bool bare = (byte > 0x20 && byte < 0x7f && c != '=') || (blank && !at_end);
        const std::size_t width = bare ? 1 : 3;
        if (column + width >= kLine) {
            out += "=\r\n";
            column = 0;
        }
        if (bare) {
            out += c;
        } else {
            out += '=';
            out += kHex[byte >> 4];
            out += kHex[byte & 15];
        }
        column += width;
    }
    if (column > 0) out += "\r\n";
    return out;
}

std::string base64_lines(std::string_view bytes) {
    constexpr std::size_t kBytes = kLine / 4 * 3;
    std::string out;
    out.reserve(bytes.size() / kBytes * (kLine + 2) + kLine + 2);
    for (std::size_t from = 0; from < bytes.size(); from += kBytes) {
        out += base64(bytes.substr(from, kBytes));
        out += "\r\n";
    }
    return out;
}

std::string mail_date(std::int64_t wall_ms) {
    const Result<std::string> date = format_local(wall_ms, "UTC", "%a, %d %b %Y %H:%M:%S +0000");
    MUSHER_CHECK(date.has_value());
    return *date;
}

}  // namespace musher
