// Crew: pool threads that share a stack of work; what they find on the way goes onto it.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "reactor/base/bytes.h"
#include "reactor/loop/loop.h"

namespace musher {

class Work;

/// One thread's own: room for a slice of bytes, and what its last piece found to be done.
struct Hand {
    Slice buffer;
    std::shared_ptr<Work> work;  // that it stays with while there is enough for the others
    std::vector<std::shared_ptr<Work>> found;
};
/// Some milliseconds of work, or tens where a disk is slow; null: none.
using Piece = std::function<Result<void>(Hand&)>;

/// Something that falls into pieces, which threads may do side by side.
class Work {
  public:
    virtual ~Work() = default;
    /// Cuts the next piece off; none when there is no more. Pool threads, one at a time.
    virtual Result<Piece> next() = 0;
};

struct CrewOptions {
    unsigned hands = 0;                  // threads; 0: as many as there are permits for heavy work
    bool alone = false;                  // nothing else runs in this process: ask for no permits
    std::function<void()> on_turn = {};  // on the loop, many times a second
};

/// For a process that is there for nothing else: threads that wait for a disk cost nobody anything.
/// Widens the pool. Before the process's first Loop.
CrewOptions whole_machine();

/// What is found is done before what was there before it, so that no more waits than the depth of
/// what is gone through. The first failure ends all.
class Crew {
  public:
    Crew(Loop& loop, CrewOptions options);
    Crew(const Crew&) = delete;

    /// Returns when `first` and all that was found is done, at the first failure, or with the
    /// Cancel's reason; no thread is at work any more then. Loop thread; once.
    Task<Result<void>> run(std::shared_ptr<Work> first, Cancel& cancel);

  private:
    Task<void> serve(Cancel& cancel);
    bool turn(Hand& hand);
    Result<void> one_piece(Hand& hand, bool& idle);
    bool take(Hand& hand);
    void share(Hand& hand);
    void put_found(Hand& hand);
    void stop(Error error);

    Loop& loop_;
    CrewOptions options_;
    std::mutex mutex_;  // of what follows, until `stopped_`
    std::vector<std::shared_ptr<Work>> stack_;
    Error error_;
    std::atomic<bool> stopped_ = false;
    std::atomic<unsigned> idle_ = 0;  // hands that wait for something to be found
    unsigned active_ = 0;             // hands that do not
    Waiters waiting_;
};

}  // namespace musher
