// PollWatch: looks at folders again and again, where no events come and as a safety net.
#pragma once

#include <random>
#include <unordered_set>

#include "reactor/loop/loop.h"
#include "sources/watch.h"

namespace musher::hotfolder {

/// Loop thread only. Every `every`, give or take a tenth so that many hosts and folders do not
/// look all at once, each folder is suspect.
class PollWatch {
  public:
    PollWatch(Loop& loop, WatchListener& listener, Duration every);

    void add(DirId dir);
    void remove(DirId dir);
    bool polls(DirId dir) const { return dirs_.contains(dir); }
    std::size_t size() const { return dirs_.size(); }

  private:
    void arm();
    void tick();

    WatchListener& listener_;
    Duration every_;
    Timers::Alarm alarm_;
    std::minstd_rand random_;
    std::unordered_set<DirId> dirs_;
};

}  // namespace musher::hotfolder
