// InotifyWatch: inotify on a descriptor of our own.
//
// uv_fs_event will not do: it does not ask for IN_CLOSE_WRITE, reads 4 KiB at a time and drops
// IN_Q_OVERFLOW.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "reactor/base/fd.h"
#include "reactor/loop/poll.h"
#include "sources/watch.h"

namespace musher::hotfolder {

struct InotifyRecord {
    int wd = -1;
    std::uint32_t mask = 0;
    std::string_view name;
};
/// Takes the first record off `bytes`. Nothing when they hold no whole record.
std::optional<InotifyRecord> next_record(std::string_view& bytes);

/// Loop thread, but for add().
class InotifyWatch {
  public:
    /// Opens the descriptor and reads from it whenever it is readable, at most 4 ms per turn.
    static Result<std::unique_ptr<InotifyWatch>> open(Loop& loop, WatchListener& listener);
    InotifyWatch(const InotifyWatch&) = delete;
    ~InotifyWatch();

    int fd() const { return fd_.get(); }
    /// Pool threads: watches this very folder. Returns its descriptor, or -1 with errno. Its
    /// events may arrive before bind(), which then says so.
    static int add(int fd, const Fd& folder);
    /// From now on events of `wd` are those of `dir`. True: some were missed, scan it again.
    bool bind(int wd, DirId dir);
    void unbind(DirId dir);
    std::size_t watches() const { return by_wd_.size(); }

    /// Tells the listener of every record; drain() calls it, and so do tests.
    void feed(std::string_view bytes);

  private:
    InotifyWatch(Loop& loop, WatchListener& listener, Fd fd);
    void drain();
    void dispatch(const InotifyRecord& record);

    Loop& loop_;
    WatchListener& listener_;
    Fd fd_;
    std::optional<Poll> poll_;  // dropped before the descriptor
    std::vector<char> buffer_;
    std::unordered_map<int, DirId> by_wd_;
    std::unordered_map<DirId, int> by_dir_;
    std::unordered_set<int> strays_;  // had events before they were bound
};

/// The sysctl line that lifts the limit behind `error`: ENOSPC of a watch, EMFILE of an instance.
/// Empty for other errors.
std::string inotify_hint(int error);
/// fs.inotify.max_user_watches; 0 when it cannot be read.
std::size_t watch_limit();

}  // namespace musher::hotfolder
