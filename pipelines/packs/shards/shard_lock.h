// ShardLock: the lock file of one shard, held, and the users it names.
#pragma once

#include <optional>
#include <string_view>

#include "pipelines/packs/shards/shard_spot.h"
#include "reactor/base/fd.h"

namespace musher {

/// NAME of `.NAME.lock.tmp.0123456789ab`, which a killed holder was to replace its file with; "" of
/// any other name.
std::string shard_of_temporary(std::string_view file);

/// flock(2) on the file that names the users. A file that is replaced or removed is another file:
/// who waited for the old one finds out (its inode is no longer what the path leads to) and tries
/// again. Programs that do not look lose that protection: the script of old must not run beside it.
/// All of it blocking, for pool threads; none of it waits for another's lock.
class ShardLock {
  public:
    /// Nothing while somebody else holds it. Makes the file; `not_found` when there is no folder
    /// for it, `conflict` when its name is taken by something else than a file. Removes what a
    /// killed process left of replacing this file.
    static Result<std::optional<ShardLock>> try_take(const ShardSpot& spot);
    /// Whether somebody holds it now.
    static bool is_held(const std::string& lock_path);
    /// Whom it names now, held or not; `not_found` and `conflict` as above.
    static Result<std::vector<std::string>> users_of(const std::string& lock_path);

    const std::vector<std::string>& users() const { return users_; }
    /// Another list, on disk afterwards, or the one before: kill -9 leaves one of the two. The lock
    /// stays held. An empty list removes the file, and with it the lock: it must be the last thing
    /// that is done under it.
    Result<void> replace(std::vector<std::string> users);
    /// Lets go; a file without users does not stay.
    void release();

  private:
    ShardLock(std::string path, Fd file) : path_(std::move(path)), file_(std::move(file)) {}
    Result<void> read();
    Result<void> write_beside(const std::string& temporary, const std::string& text, Fd& made);
    Result<void> swap(const std::string& text);
    Result<void> remove();
    std::string folder() const { return path_.substr(0, path_.rfind('/')); }
    void sweep() const;

    std::string path_;
    Fd file_;
    std::vector<std::string> users_;
};

}  // namespace musher
