// The facts of a file: event.path, .dir, .name, .stem, .ext, .size, .mtime, .uid.
#pragma once

#include <string>

#include "reactor/base/json.h"
#include "sources/file_sample.h"

namespace musher {

/// `path` is where the file can be opened; the other names are those of `original`, where people
/// dropped it. Where `original` is not UTF-8, its parts are percent-escaped and `name_escaped` is
/// true.
Json file_facts(const std::string& path, const std::string& original,
                const hotfolder::FileSample& sample);

}  // namespace musher
