// ShardLock: the lock file of one shard, held, and the users it names.
#pragma once

#include <optional>

#include "pipelines/packs/shards/shard_spot.h"
#include "reactor/base/fd.h"

namespace musher {

/// flock(2) on the file that names the users. A file that is replaced or removed is another file:
/// who waited for the old one finds out (its inode is no longer what the path leads to) and tries
/// again. Programs that do not look lose that protection: the script of old must not run beside it.
/// All of it blocking, for pool threads; none of it waits for another's lock.
class ShardLock {
  public:
    /// Nothing while somebody else holds it. Makes the file; `not_found` when there is no folder
    /// for it. Removes what a killed process left of replacing this file.
    static Result<std::optional<ShardLock>> try_take(const ShardSpot& spot);
    /// Whether somebody holds it now.
    static bool is_held(const std::string& lock_path);

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
