// A folder whose entries several threads go through at once, and then its subfolders.
#pragma once

#include <sys/stat.h>

#include "reactor/base/fd.h"
#include "reactor/tree/crew.h"

namespace musher {

/// `conflict`: who reads a tree finds that somebody writes to it.
Error changed();
/// Of what a folder has just named: that it is gone, or of another kind, is changed().
Error source_error(int number, std::string_view what);

inline bool same_time(const timespec& a, const timespec& b) {
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/// A name in a folder, as readdir knows it.
struct FolderEntry {
    std::uint64_t inode = 0;
    const char* name = nullptr;
    unsigned char type = 0;  // DT_REG, …; never DT_UNKNOWN
};

/// A part of a folder's names, small enough to be held, in the order of their inodes: that is how
/// they lie on disk.
struct FolderWindow {
    std::vector<std::unique_ptr<char[]>> blocks;
    std::vector<FolderEntry> entries;
};
/// The next window of an open folder, without "." and ".."; an empty one at its end.
Result<std::shared_ptr<const FolderWindow>> read_window(int folder);

/// The folder `name` in `above`, opened without following a link; names its whole path in errors.
class FolderWalk : public Work, public std::enable_shared_from_this<FolderWalk> {
  public:
    /// The root: `name` is its path, for messages.
    FolderWalk(Fd folder, std::string name) : name_(std::move(name)), folder_(std::move(folder)) {}
    FolderWalk(std::shared_ptr<FolderWalk> above, const char* name)
        : above_(std::move(above)), name_(name) {
        ++above_->open_;
    }
    Result<Piece> next() final;

    /// Something else that belongs to it is under way, until leave().
    void hold() { ++open_; }
    /// The last part of a folder ends it, and is then one part of the folder above.
    Result<void> leave();
    std::string path() const;
    std::string path_of(const char* name) const;

  protected:
    /// Once, before the first entry; the folder itself is open.
    virtual Result<void> begin() = 0;
    /// For each entry, by several threads at once. What it finds goes into `hand.found`.
    virtual Result<void> visit(const FolderEntry& entry, Hand& hand) = 0;
    /// Once, when every entry and all that is below is done.
    virtual Result<void> end() = 0;
    /// Whether a folder that is gone when its turn comes is no fault: it is ended at once then.
    virtual bool may_vanish() const { return false; }

    int fd() const { return folder_.get(); }
    const char* name() const { return name_.c_str(); }
    FolderWalk* above() const { return above_.get(); }
    /// "opening /srv/a/b: Permission denied", or that it has changed.
    Error error(int number, const char* what, const char* name) const;

  private:
    Result<void> open();
    Result<bool> refill();
    Result<void> visit_all(const FolderWindow& window, std::size_t from, std::size_t to,
                           Hand& hand);

    std::shared_ptr<FolderWalk> above_;
    std::string name_;
    Fd folder_;
    bool begun_ = false;
    std::shared_ptr<const FolderWindow> window_;
    std::size_t place_ = 0;              // in the window
    std::atomic<std::size_t> open_ = 1;  // the reading, pieces under way, subfolders
};

}  // namespace musher
