// Moving and publishing many files at once: the renames and fsyncs of a batch are shared.
#pragma once

#include <string>
#include <vector>

#include "reactor/drivers/atomic_file.h"
#include "reactor/loop/loop.h"

namespace musher {

struct Move {
    std::string from;
    std::string to;                 // full path; its folder is created when it is missing
    Collision collision = Collision::number;
};

/// `later`: a power failure may undo the renames; for a caller who would find out and do them again.
enum class Sync { now, later };

/// Renames each; across filesystems it copies durably, then unlinks. `now`: one fsync per target
/// folder of the batch. Each answer is the final path. `not_found`: `from` is gone (nothing was
/// changed). Blocking: for pool threads.
std::vector<Result<std::string>> move_files(const std::vector<Move>& moves, Sync sync = Sync::now);

/// Copies the bytes (reflink, copy_file_range, then read and write); returns how many.
Result<std::uint64_t> copy_bytes(const Fd& from, const Fd& to);

/// A file on its way to its final name.
struct Publication {
    std::string source;             // a file to copy; empty: `prepared` has the content already
    AtomicFile prepared;
    std::string folder;
    std::string name;
    mode_t mode = 0644;
    uid_t uid = static_cast<uid_t>(-1);   // -1: leave it
    gid_t gid = static_cast<gid_t>(-1);
    Collision collision = Collision::number;
    std::string job;
    int hops = 0;
};
struct Published {
    std::string path;
    std::uint64_t bytes = 0;
    std::string sha256;             // of copies; empty for prepared content
};

/// Group commit: what is asked for while a batch runs goes into the next one. Loop thread only.
class Publisher {
  public:
    explicit Publisher(Loop& loop) : loop_(loop), done_(loop.ready()) {}
    /// Returns when the file lies on disk under its final name. Not cancelled once begun.
    Task<Result<Published>> publish(Publication publication);

  private:
    struct Entry {
        Publication publication;
        Result<Published> outcome;
        bool finished = false;
    };
    static void sync_contents(const std::vector<Entry*>& batch);
    static void run_batch(std::vector<Entry*>& batch);
    Loop& loop_;
    std::vector<Entry*> waiting_;
    bool busy_ = false;
    Waiters done_;
};

}  // namespace musher
