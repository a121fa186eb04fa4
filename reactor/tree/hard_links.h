// Which names are one file: the first is copied, the others are linked to its copy.
#pragma once

#include <sys/stat.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace musher {

/// Any thread.
class HardLinks {
  public:
    /// Nothing: the caller makes the file's first copy, then calls made() or give_up(). Else where
    /// that copy lies; waits while another thread creates it, which takes it two system calls.
    std::optional<std::string> claim(const struct stat& info);
    /// The first copy exists, with or without its content.
    void made(const struct stat& info, std::string path);
    /// The copy as a whole has failed: nobody waits any more, and claim() answers "".
    void give_up();

  private:
    struct Entry {
        std::string path;  // "": being created
        nlink_t left = 0;  // names not seen yet
    };
    std::mutex mutex_;
    std::condition_variable created_;
    std::map<std::pair<dev_t, ino_t>, Entry> entries_;
    bool given_up_ = false;
};

}  // namespace musher
