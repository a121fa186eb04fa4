// SettledIds: which files that stay where they are (claim: none, done: leave) are done with. The
// queue's history forgets that after a while, the files lie there for longer.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "reactor/base/error.h"

namespace musher::hotfolder {

/// Two generations of ids, each a file of 16 bytes per id; when the younger one is full the older
/// is given up. What is asked for moves into the younger one: ids of files that are still there
/// stay, those of files that are gone leave.
///
/// It lags behind the queue and is never synced: what kill -9 or a power failure takes is young
/// enough to be found in the queue's history. Loop thread only, but for read() and write().
class SettledIds {
  public:
    struct Id {
        std::uint64_t high = 0;
        std::uint64_t low = 0;
        bool operator==(const Id&) const = default;
    };
    struct Hash {
        std::size_t operator()(const Id& id) const { return id.low ^ id.high; }
    };
    using Generation = std::unordered_set<Id, Hash>;
    struct Generations {
        Generation young;
        Generation old;
    };
    struct Batch {
        std::vector<Id> ids;
        bool last = false;  // of its generation
    };

    /// `file` is the younger generation's, empty: nothing is kept. `most` ids to a generation.
    SettledIds(std::string file, std::size_t most) : file_(std::move(file)), most_(most) {}

    /// Of ids that are UUIDs; others are not kept.
    bool knows(std::string_view id);
    /// The same for who only asks: it makes no id younger.
    bool holds(std::string_view id) const;
    void add(std::string_view id);
    /// What read() found; what was added meanwhile stays.
    void adopt(Generations found);

    bool unsaved() const { return !file_.empty() && !unsaved_.empty(); }
    /// What write() is to append; `last` begins a new generation here.
    Batch take();
    /// write() failed: with the next batch.
    void put_back(Batch batch);

    /// Pool threads, one at a time. Both leave out, or cut off, an id that was written in part.
    /// kill -9 between the two files: the younger one is missing, which means empty.
    Result<Generations> read() const;
    Result<void> write(const Batch& batch) const;

  private:
    std::string old_file() const { return file_ + ".old"; }

    const std::string file_;
    const std::size_t most_;
    Generation young_;
    Generation old_;
    std::vector<Id> unsaved_;  // of the younger one
};

}  // namespace musher::hotfolder
