// Where a shard comes from and goes to, and who uses it: names, paths, and the text of a lock file.
#pragma once

#include <string>
#include <vector>

#include "reactor/base/error.h"

namespace musher {

struct ShardSpot {
    std::string name;      // of the shard: the last part of its path
    std::string source;    // its path, without slashes at the end
    std::string lock_dir;  // as they were given
    std::string ssd_dir;
    bool is_path = false;  // it was given with a '/'; a bare name may only name

    /// `<lock_dir>/<name>.lock`, absolute.
    std::string lock_path() const;
    /// `<ssd_dir>/<name>`
    std::string target() const;
};

/// `usage` for a path without a name, one that leaves no room for the marks of drafts, or has them.
Result<ShardSpot> find_spot(std::string source, std::string lock_dir, std::string ssd_dir);
/// `usage` for an id that a lock file cannot hold: empty, with a newline or NUL.
Result<void> check_user(const std::string& id);

/// The content of a lock file: ids in the order they came, a newline between two, none at the end.
/// Reading forgives empty lines and ids that stand there twice.
std::vector<std::string> parse_users(const std::string& text);
std::string format_users(const std::vector<std::string>& users);

}  // namespace musher
