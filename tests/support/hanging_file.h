// A file that hangs whoever opens it, as one on a server that does not answer would.
#pragma once

#include <csignal>
#include <string>

#include "reactor/base/fd.h"

namespace musher::test {

/// Held by a write lease until let_go(). Not every filesystem has them: ask possible().
class HangingFile {
  public:
    explicit HangingFile(const std::string& path) : file_(Fd::open(path, O_RDWR).value()) {
        std::signal(SIGIO, SIG_IGN);  // would tell that somebody waits
        held_ = ::fcntl(file_.get(), F_SETLEASE, F_WRLCK) == 0;
    }
    bool possible() const { return held_; }
    bool somebody_waits() const { return ::fcntl(file_.get(), F_GETLEASE) != F_WRLCK; }
    void let_go() { ::fcntl(file_.get(), F_SETLEASE, F_UNLCK); }

  private:
    Fd file_;
    bool held_ = false;
};

}  // namespace musher::test
