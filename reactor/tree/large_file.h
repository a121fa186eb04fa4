// A file so large that several threads copy it, range by range.
#pragma once

#include "reactor/tree/copied_folder.h"

namespace musher {

class LargeFile final : public Work {
  public:
    /// `folder` does not end before it.
    LargeFile(TreeCopy& copy, std::shared_ptr<FolderWalk> folder, std::string path, Fd from, Fd to,
              const struct stat& info)
        : shared_(std::make_shared<Shared>(copy, std::move(folder), std::move(path),
                                           std::move(from), std::move(to), info)) {
        shared_->folder->hold();
    }
    Result<Piece> next() override;

  private:
    struct Shared {
        Shared(TreeCopy& c, std::shared_ptr<FolderWalk> f, std::string p, Fd source, Fd target,
               const struct stat& i)
            : copy(c),
              folder(std::move(f)),
              path(std::move(p)),
              from(std::move(source)),
              to(std::move(target)),
              info(i) {}
        Result<void> copy_one(std::uint64_t offset, std::uint64_t size, Hand& hand);
        Result<void> leave();
        Result<void> finish();

        TreeCopy& copy;
        std::shared_ptr<FolderWalk> folder;
        std::string path;
        Fd from, to;
        struct stat info;
        std::atomic<std::size_t> open = 1;  // the cutting, and ranges under way
    };
    std::shared_ptr<Shared> shared_;
    std::uint64_t offset_ = 0;
    bool prepared_ = false;
};

}  // namespace musher
