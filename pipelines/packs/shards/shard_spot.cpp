#include "pipelines/packs/shards/shard_spot.h"

#include <algorithm>
#include <filesystem>

#include "reactor/base/text.h"
#include "reactor/drivers/atomic_file.h"
#include "reactor/tree/tree_draft.h"

namespace musher {

std::string ShardSpot::lock_path() const {
    std::error_code failed;
    const std::filesystem::path file = std::filesystem::path(lock_dir) / (name + ".lock");
    const std::filesystem::path absolute = std::filesystem::absolute(file, failed);
    if (failed) return file.string();
    // After a link ".." leads out of where the link leads to, not back.
    const bool up = std::find(absolute.begin(), absolute.end(), "..") != absolute.end();
    const std::filesystem::path normal = absolute.lexically_normal();
    const bool same = !up || std::filesystem::equivalent(absolute.parent_path(),
                                                         normal.parent_path(), failed);
    return (same ? normal : absolute).string();
}

std::string ShardSpot::target() const { return (std::filesystem::path(ssd_dir) / name).string(); }

Result<ShardSpot> find_spot(std::string source, std::string lock_dir, std::string ssd_dir) {
    ShardSpot spot;
    spot.is_path = source.find('/') != std::string::npos;
    while (source.size() > 1 && source.back() == '/') source.pop_back();
    spot.name = source.substr(source.rfind('/') + 1);
    spot.source = std::move(source);
    spot.lock_dir = std::move(lock_dir);
    spot.ssd_dir = std::move(ssd_dir);
    if (spot.lock_dir.empty()) return fail(Errc::usage, "the folder of lock files has no name");
    if (spot.ssd_dir.empty()) return fail(Errc::usage, "the folder on the SSD has no name");
    if (!check_entry_name(spot.name)) {
        return fail(Errc::usage, "'" + escape_name(spot.source) + "' does not end in a name",
                    "the shard is called as the last part of its path");
    }
    if (is_nameless(spot.name, "")) {
        return fail(Errc::usage,
                    escape_name(spot.name) + " is what a killed process leaves on the SSD",
                    "who sweeps would remove a shard of that name; give it another one");
    }
    if (spot.name.size() > kTreeNameBytes) {
        return fail(Errc::usage,
                    "the shard's name has more than " + std::to_string(kTreeNameBytes) + " bytes");
    }
    return spot;
}

Result<void> check_user(const std::string& id) {
    if (id.empty()) return fail(Errc::usage, "the id is empty");
    if (id.find('\n') != std::string::npos || id.find('\0') != std::string::npos) {
        return fail(Errc::usage, "the id '" + escape_name(id) + "' holds a newline or NUL",
                    "each line of the lock file is one id");
    }
    return {};
}

std::vector<std::string> parse_users(const std::string& text) {
    std::vector<std::string> users;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        std::string user = text.substr(at, end - at);
        at = end + 1;
        const bool known = std::find(users.begin(), users.end(), user) != users.end();
        if (!user.empty() && !known) users.push_back(std::move(user));
    }
    return users;
}

std::string format_users(const std::vector<std::string>& users) {
    std::string text;
    for (const std::string& user : users) text += (text.empty() ? "" : "\n") + user;
    return text;
}

}  // namespace musher
