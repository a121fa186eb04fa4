// A folder gets its name when it is whole and on disk, and loses it before it is taken apart.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "reactor/base/fd.h"

namespace musher {

/// Longest name that leaves room for the marks of drafts and trash.
inline constexpr std::size_t kTreeNameBytes = 228;

/// A folder without a final name, `.NAME.tmp.…` or `.NAME.trash.…`: locked (flock) for as long as
/// somebody works on it, so that what is not locked was left by a killed process.
struct NamelessTree {
    std::string path;
    Fd lock;
    bool closed = false;  // it may not be opened, so that nobody can say whether it is held
};
/// Whether a folder of that name is taken for a draft or trash of `name` ("": of any).
bool is_nameless(std::string_view entry, const std::string& name);

// Blocking, for pool threads. kill -9 leaves at most a nameless tree, for find_leftovers().

/// An empty draft of `name` in `folder`, 0700. Nothing is inherited from a default ACL of `folder`.
Result<NamelessTree> make_draft(const std::string& folder, const std::string& name);
/// Writes all of its file system to disk: one call for any number of files.
Result<void> sync_draft(const NamelessTree& draft);
/// Gives the draft its name, on disk. `conflict` when the name is taken; nothing has changed then.
/// After another failure it may have its name, which a power failure may take away again.
Result<void> publish_draft(const NamelessTree& draft, const std::string& folder,
                           const std::string& name);
/// Takes the name away, on disk: what was called `name` is trash. `not_found` when there is none.
Result<NamelessTree> make_trash(const std::string& folder, const std::string& name);
/// `denied` for one that is closed: it stays for its owner.
Result<void> check_open(const NamelessTree& tree);
/// Drafts and trash of `name` ("": of any) that nobody holds, and closed ones.
Result<std::vector<NamelessTree>> find_leftovers(const std::string& folder,
                                                 const std::string& name);

}  // namespace musher
