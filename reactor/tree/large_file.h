// A file so large that several threads copy it, range by range.
#pragma once

#include "reactor/tree/copied_folder.h"

namespace musher {

class LargeFile final : public Work {
  public:
    /// `folder` does not end before it, and has made its empty copy. Open from its first piece on:
    /// a folder may hold more of them than a process may open.
    LargeFile(TreeCopy& copy, std::shared_ptr<CopiedFolder> folder, const char* name,
              const struct stat& info)
        : shared_(std::make_shared<Shared>(copy, std::move(folder), name, info)) {
        shared_->folder->hold();
    }
    Result<Piece> next() override;

  private:
    struct Shared {
        Shared(TreeCopy& c, std::shared_ptr<CopiedFolder> f, const char* n, const struct stat& i)
            : copy(c), folder(std::move(f)), name(n), info(i) {}
        /// With the file in its error.
        Result<void> named(Result<void> done) const;
        Result<void> open_both();
        Result<void> copy_one(std::uint64_t offset, std::uint64_t size, Hand& hand);
        Result<void> leave();
        Result<void> finish();

        TreeCopy& copy;
        std::shared_ptr<CopiedFolder> folder;
        std::string name;
        Fd from, to;
        struct stat info;
        std::atomic<std::size_t> open = 1;  // the cutting, and ranges under way
    };
    std::shared_ptr<Shared> shared_;
    std::uint64_t offset_ = 0;
    bool prepared_ = false;
};

}  // namespace musher
