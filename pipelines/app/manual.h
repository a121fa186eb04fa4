// Manual pages, made from the tables of verbs, options and errors.
#pragma once

#include <string>

namespace musher {

/// musher(1) in roff.
std::string manual_page();
/// musher.yml(5) in roff: the configuration and pipeline files.
std::string configuration_page();

}  // namespace musher
