// Drop-in names: programs that musher replaces under their own names, by a link to musher.
#pragma once

#include <span>
#include <string_view>

namespace musher {

/// Its arguments and exit codes are its original's. It needs no musher.yml, no Redis and no running
/// musher; signals that would kill a pipe's writer are ignored already.
struct DropIn {
    std::string_view name;
    int (*run)(int argc, char** argv);  // argv as main has it; the exit code
    std::string_view summary = {};      // for the manual page
};

/// Those that are built in, one per name.
std::span<const DropIn> drop_ins();

/// The one that `argv0` ("/usr/local/bin/db-p") names; null: musher was called as itself.
const DropIn* find_drop_in(std::string_view argv0, std::span<const DropIn> known = drop_ins());

}  // namespace musher
