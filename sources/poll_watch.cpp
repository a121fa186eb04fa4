#include "sources/poll_watch.h"

#include <vector>

namespace musher::hotfolder {

PollWatch::PollWatch(Loop& loop, WatchListener& listener, Duration every)
    : listener_(listener), every_(every), alarm_(loop.timers()), random_(std::random_device{}()) {}

void PollWatch::add(DirId dir) {
    dirs_.insert(dir);
    if (!alarm_.armed()) arm();
}

void PollWatch::remove(DirId dir) {
    dirs_.erase(dir);
    if (dirs_.empty()) alarm_.disarm();
}

void PollWatch::arm() {
    const Duration::rep tenth = every_.count() / 10;
    std::uniform_int_distribution<Duration::rep> jitter(-tenth, tenth);
    alarm_.arm(every_ + Duration(jitter(random_)), [this] { tick(); });
}

void PollWatch::tick() {
    arm();
    // A copy: the listener may add and remove.
    const std::vector<DirId> due(dirs_.begin(), dirs_.end());
    for (const DirId dir : due) listener_.on_suspect(dir);
}

}  // namespace musher::hotfolder
