// The text forms of mail: addresses, headers in ASCII (RFC 5322, 2047, 2231), encoded content.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "reactor/base/error.h"

namespace musher {

struct MailAddress {
    std::string name;     // UTF-8, may be empty
    std::string address;  // ASCII: local@domain

    /// `local@domain`, `Name <local@domain>` or `"Last, First" <local@domain>`; `usage` otherwise,
    /// and for line breaks and control characters, so that nobody adds a header.
    static Result<MailAddress> parse(std::string_view text);
    /// For a header, folded; the name encoded where it has to be.
    std::string header_text() const;
};

/// Addresses with commas between them.
Result<std::vector<MailAddress>> parse_addresses(std::string_view list);

/// Free of line breaks and other control characters but tabs.
bool is_mail_line(std::string_view text);
/// UTF-8 text for the header `name`, folded: as it is where ASCII allows, else in encoded words.
std::string mail_header(std::string_view name, std::string_view text);
/// The parameter that names a file: filename="…", or filename*=… where the name needs it.
std::string mail_file_name(std::string_view name);
/// Text for a body, every line break a CRLF, no line over 76.
std::string quoted_printable(std::string_view text);
/// Lines of 76, each ended by CRLF. For pieces of a whole, give multiples of 57 bytes.
std::string base64_lines(std::string_view bytes);
/// Sat, 21 Nov 2026 18:06:53 +0000
std::string mail_date(std::int64_t wall_ms);

}  // namespace musher
