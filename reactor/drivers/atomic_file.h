// AtomicFile: the only writer of final names. What has a final name is whole and on disk.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "reactor/base/fd.h"

namespace musher {

/// What to do when the wanted name is taken by somebody else's file.
enum class Collision { number, replace, fail };
Result<Collision> parse_collision(std::string_view name);

/// Names of user xattrs that musher sets on what it writes.
inline constexpr const char* kJobAttribute = "user.musher.job";
inline constexpr const char* kHopsAttribute = "user.musher.hops";

/// Blocking: for pool threads. Not committed: its temporary file (`.NAME.musher-tmp-…` in the
/// target folder) is removed by the destructor; after kill -9 by sweep_temporaries().
class AtomicFile {
  public:
    AtomicFile() = default;
    /// Creates the temporary file. `bytes` > 0 reserves space, so that `full` comes early.
    static Result<AtomicFile> create(const std::string& folder, const std::string& name,
                                     mode_t mode, std::uint64_t bytes);
    AtomicFile(AtomicFile&&) noexcept;
    AtomicFile& operator=(AtomicFile&&) noexcept;
    ~AtomicFile();

    const Fd& fd() const { return fd_; }
    explicit operator bool() const { return static_cast<bool>(fd_); }
    /// Marks the file as `job`'s and as the `hops`-th of a loop; silently not where the
    /// filesystem has no user xattrs.
    void mark(const std::string& job, int hops);

    // Committing is three steps, so that many files can share them: start_sync() on each,
    // sync() on each, publish() on each, then fsync of the folders (sync_folder).
    void start_sync();
    Result<void> sync();
    /// Renames to the wanted name, or by `collision` to NAME-2.EXT, …; a file marked with the
    /// same job is replaced. Returns the final path.
    Result<std::string> publish(Collision collision);
    /// All of it for one file.
    Result<std::string> commit(Collision collision);

  private:
    std::string folder_, name_, temporary_, job_;
    Fd fd_;
};

/// fsync of a directory: names in it are on disk afterwards.
Result<void> sync_folder(const std::string& folder);
/// The same of one that was opened before its names changed: that nobody may open it is then no
/// failure of half a change.
Result<Fd> open_folder(const std::string& folder);
Result<void> sync_folder(const Fd& opened, const std::string& folder);
/// Makes `folder` and what is missing above it, on disk afterwards: a file in a folder that a power
/// failure takes away is lost as well.
Result<void> make_folders(const std::string& folder);
/// Removes temporary files that a killed process left in `folder`, older than an hour.
void sweep_temporaries(const std::string& folder);
/// NAME.EXT → NAME-2.EXT; the extension is what follows the last dot, if it is not the first byte.
std::string numbered_name(const std::string& name, int number);
/// NAME.EXT → NAME<mark>.EXT, cut in the middle to what a file system takes.
std::string marked_name(const std::string& name, const std::string& mark);
/// 0 or errno; EEXIST when `to` exists and shall not be replaced, EXDEV between two mounts even of
/// one filesystem. Falls back to link + unlink where the filesystem knows no RENAME_NOREPLACE.
int try_rename(const std::string& from, const std::string& to, bool replace);
/// try_rename without replacing; `conflict` when `to` exists.
Result<void> rename_no_replace(const std::string& from, const std::string& to);
/// A name for one entry of a folder: not empty, ".", "..", with '/' or NUL: `usage` otherwise.
Result<void> check_entry_name(std::string_view name);

}  // namespace musher
