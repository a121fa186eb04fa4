// An owned file descriptor.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <utility>

#include "reactor/base/error.h"

namespace musher {

class Fd {
  public:
    Fd() = default;
    explicit Fd(int fd) : fd_(fd) {}
    Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Fd& operator=(Fd&& other) noexcept {
        if (this != &other) reset(std::exchange(other.fd_, -1));
        return *this;
    }
    ~Fd() { reset(); }

    int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }
    int release() { return std::exchange(fd_, -1); }
    void reset(int fd = -1) {
        if (fd_ >= 0) ::close(fd_);
        fd_ = fd;
    }

    /// open(2) with O_CLOEXEC; the error names the path.
    static Result<Fd> open(const std::string& path, int flags, mode_t mode = 0600);
    static Result<Fd> open_at(int directory, const std::string& name, int flags,
                              mode_t mode = 0600);

  private:
    int fd_ = -1;
};

/// Writes all of it, going on after short writes and EINTR. Blocking; not on the loop for files.
Result<void> write_all(int fd, std::string_view bytes);
/// Reads a whole small file; `usage` if it is larger than `limit` bytes, `denied` for a pipe.
Result<std::string> read_small_file(const std::string& path, std::size_t limit);

}  // namespace musher
