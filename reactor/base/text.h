// Small things done to text: names for JSON, nearest names, globs, hex.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace musher {

bool is_utf8(std::string_view bytes) noexcept;
/// The bytes as they are when UTF-8, else with every byte over 0x7f and '%' percent-escaped.
std::string escape_name(std::string_view bytes);
/// As escape_name does it, also for bytes that are UTF-8.
std::string escape_bytes(std::string_view bytes);
/// Undoes escape_name's own percent forms, %25 and %80 to %FF in capitals, and no others: what
/// comes of a name that anybody chose holds no new '/', '.' or NUL.
std::string unescape_name(std::string_view text);

/// The candidate with the smallest edit distance, if it is near enough to be meant.
std::optional<std::string_view> nearest(std::string_view wanted,
                                        std::span<const std::string_view> candidates);

/// Shell-like match of a whole name: * ? [a-z]. `fold_case` ignores the case of Latin, Greek and
/// Cyrillic letters. Bytes that are not UTF-8 match themselves.
bool glob_match(std::string_view pattern, std::string_view name, bool fold_case);
/// Not empty, and every [ closed: what glob_match can match with.
bool is_glob(std::string_view pattern);

/// Percent-encodes all but letters, digits and - _ . ~ for a URL's query or a form.
std::string url_encode(std::string_view text);
/// Undoes every %XX of a URL's part.
std::string url_decode(std::string_view text);

std::string to_hex(std::span<const unsigned char> bytes);
/// Nothing unless `text` is an even number of hex digits.
std::optional<std::vector<unsigned char>> from_hex(std::string_view text);

/// The first `most` bytes, whole characters only, marked when something is missing.
std::string cut(std::string_view text, std::size_t most);

/// `1 file`, `2 files`: for nouns whose plural is made with an s.
std::string counted(std::uint64_t count, std::string_view noun);

/// Nothing but [a-z0-9_-], 1 to 64 bytes: names of pipelines and steps.
bool is_identifier(std::string_view text) noexcept;

}  // namespace musher
