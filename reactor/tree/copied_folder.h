// One folder of a tree that is copied.
#pragma once

#include "reactor/tree/attributes.h"
#include "reactor/tree/file_content.h"
#include "reactor/tree/folder_walk.h"
#include "reactor/tree/hard_links.h"
#include "reactor/tree/tree_totals.h"

namespace musher {

/// What all threads of one copy share.
struct TreeCopy {
    TreeCounters counters;
    CopyWays ways;
    HardLinks links;
    Creator creator = Creator::current();
    std::atomic<bool> keep_atime = true;  // O_NOATIME, until it is refused
    int root = -1;                        // the target, and which folder it is
    dev_t root_dev = 0;
    ino_t root_ino = 0;
};

/// `conflict` unless the open source is what its stat said before it was read.
Result<void> check_unchanged(int from, const struct stat& info);

class CopiedFolder final : public FolderWalk {
  public:
    CopiedFolder(TreeCopy& copy, Fd from, Fd to, std::string path)
        : FolderWalk(std::move(from), std::move(path)), copy_(copy), to_(std::move(to)) {}
    CopiedFolder(const std::shared_ptr<CopiedFolder>& above, const char* name)
        : FolderWalk(above, name), copy_(above->copy_), place_(above->place_ + name + "/") {}
    Result<Fd> open_source(const char* name);
    /// Again, for one of its files that is not whole yet.
    Result<Fd> open_copy(const char* name);

  protected:
    Result<void> begin() override;
    Result<void> visit(const FolderEntry& entry, Hand& hand) override;
    Result<void> end() override;

  private:
    Result<void> copy_entry(const FolderEntry& entry, Hand& hand);
    Result<void> copy_file(const char* name, Hand& hand);
    Result<void> copy_symbolic(const char* name);
    Result<bool> link_to_first(const char* name, const struct stat& info);
    Result<void> fill(const char* name, Fd from, Fd to, const struct stat& info, Hand& hand);

    TreeCopy& copy_;
    std::string place_;  // below the target's root: "", "a/", "a/b/"
    Fd to_;
    struct stat info_{};
};

}  // namespace musher
