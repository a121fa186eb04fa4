// Publishing many files at once: the fsyncs of a batch are shared.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "reactor/base/body_file.h"
#include "reactor/drivers/atomic_file.h"
#include "reactor/loop/loop.h"

namespace musher {

/// A file on its way to its final name.
struct Publication {
    std::string source;     // a small file to copy; empty: `prepared` has the content
    FileIdentity identity;  // of `source`, for open_body()
    AtomicFile prepared;
    std::string folder;  // made with its parents when it is missing
    std::string name;
    mode_t mode = 0644;
    uid_t uid = static_cast<uid_t>(-1);  // -1: leave it
    gid_t gid = static_cast<gid_t>(-1);
    Collision collision = Collision::number;
    std::string job;
    int hops = 0;
};
struct Published {
    std::string path;
    std::uint64_t bytes = 0;
    std::string sha256;  // of copies; empty for prepared content
};

/// Makes a folder that files are written to; `denied` when a file has its name, `unavailable` when
/// it cannot be there. Blocking: for pool threads.
Result<void> ensure_target(const std::string& folder);

/// Group commit: what is asked for while a batch runs goes into the next one. What a killed process
/// left half written in a folder is swept at the first publication into it. A target that hangs
/// (a dead mount) hangs all of one Publisher: have one for each sink. Loop thread only.
class Publisher {
  public:
    explicit Publisher(Loop& loop);
    /// Returns when the file lies on disk under its final name. A Cancel is heard at once: the file
    /// is then not begun, or the batch it is in ends without anybody waiting for it.
    Task<Result<Published>> publish(Publication publication, Cancel& cancel);
    /// Waits for the batch that runs. Before the destructor.
    Task<void> close();

  private:
    struct Entry {
        Publication publication;
        Result<Published> outcome;
        bool finished = false;
        bool wanted = true;
    };
    using Batch = std::vector<std::shared_ptr<Entry>>;
    static void sync_contents(const Batch& batch);
    static void run_batch(const Batch& batch);
    Task<void> run();
    Batch take(bool wanted);
    std::set<std::string> unswept(const Batch& batch);
    Loop& loop_;
    Batch waiting_;
    std::set<std::string> swept_;
    bool busy_ = false;
    Waiters done_;
    Scope scope_;
};

}  // namespace musher
