// Where a claimed file lies, and how its first place is read back from that.
//
//   <folder>/.musher/work/<id>.<name>
//                         <id>%<escaped name>   a name that is not UTF-8
//                         <id>/<name>           whole folders, long names
//                         =<subfolder>/=…/<id>.<name>
//
// Nothing else remembers the name: after kill -9 between the claim and the queue this path is all
// there is. The first pipeline on a folder owns .musher/work (.musher/owner says so); any other
// has .musher/work/<pipeline>, because each asks only its own queue about what it finds at start.
// `shared: true` makes it <pipeline>@<node>, which sets hosts apart.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace musher::hotfolder {

inline constexpr std::string_view kWorkRoot = ".musher/work";
inline constexpr std::size_t kLongestPlainName = 218;  // 255 - a UUID and a dot

/// The folder of claims of a pipeline that does not own the work root, relative to the hot folder.
/// `node` is empty unless shared.
std::string work_folder(std::string_view pipeline, std::string_view node);

/// "" or "=a/=b/": where claims of the subfolder "a/b" go, relative to the work folder.
std::string mirror_of(std::string_view subfolder);
/// The subfolder of a mirror; "" for "".
std::string unmirror(std::string_view mirror);

/// The claimed entry's name in its mirror; ends with "/<name>" where it needs a folder of its own.
std::string claim_name(std::string_view id, std::string_view name, bool whole_folder);

struct ClaimName {
    std::string id;
    std::string name;         // raw; empty for `own_folder`
    bool own_folder = false;  // the name is that of the only entry inside
};
/// Nothing for what is no claim (mirrors, the lock, strangers).
std::optional<ClaimName> parse_claim_name(std::string_view entry);

struct WorkPath {
    std::string folder;  // the hot folder, absolute
    std::string pipeline;   // empty for the owner of the work root
    std::string node;       // empty unless shared
    std::string subfolder;  // where in the hot folder the file was, "" at the top
    std::string id;
    std::string name;  // raw
};
/// Nothing when `path` (absolute, raw) is not that of a claimed file.
std::optional<WorkPath> parse_work_path(const std::string& path);

}  // namespace musher::hotfolder
