// Small and capital letters of every script, whatever the process's locale.
#pragma once

#include <string>
#include <string_view>

namespace musher {
/// Letter by letter; bytes that are not UTF-8 stay as they are.
std::string lower_case(std::string_view text);
std::string upper_case(std::string_view text);
}  // namespace musher
