// Publishing many files at once: the fsyncs of a batch are shared.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "reactor/drivers/atomic_file.h"
#include "reactor/loop/loop.h"

namespace musher {

/// A file on its way to its final name.
struct Publication {
    std::string source;             // a small file to copy; empty: `prepared` has the content
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

/// Group commit: what is asked for while a batch runs goes into the next one. What a killed process
/// left half written in a folder is swept at the first publication into it. Loop thread only.
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
    static void run_batch(const std::vector<Entry*>& batch);
    std::vector<Entry*> next_batch();
    std::set<std::string> unswept(const std::vector<Entry*>& batch);
    Loop& loop_;
    std::vector<Entry*> waiting_;
    std::set<std::string> swept_;
    bool busy_ = false;
    Waiters done_;
};

}  // namespace musher
