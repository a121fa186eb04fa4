// ConfigWatch: says when files of the configuration may have changed.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "reactor/base/fd.h"
#include "reactor/loop/poll.h"

namespace musher {

/// Where a change of one of `paths` (files and folders, absolute) shows, links followed: whatever
/// an editor, a deployment or a symlink swap does to them is an event in one of these folders.
/// Folder → names in it that matter; none: every one. Blocking: pool threads.
using WatchPoints = std::map<std::string, std::set<std::string>>;
WatchPoints watch_points(const std::vector<std::string>& paths);

/// Loop thread, but for add().
class ConfigWatch {
  public:
    /// `changed` is called for each event that matters. `full`: no inotify instance is left; the
    /// caller then looks by itself now and then.
    static Result<std::unique_ptr<ConfigWatch>> open(Loop& loop, std::function<void()> changed);
    ~ConfigWatch();

    /// In two halves: adds the watches (a folder that is not there is left out; blocking: a pool
    /// thread), then drops those from before that are not among them.
    using Watched = std::map<int, std::set<std::string>>;  // names, by watch descriptor
    Watched add(const WatchPoints& points) const;
    void adopt(Watched watched);

  private:
    ConfigWatch(Fd fd, std::function<void()> changed);
    void drain();

    Fd fd_;
    std::function<void()> changed_;
    std::optional<Poll> poll_;
    Watched watched_;
};

}  // namespace musher
