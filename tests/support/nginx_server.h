// A real nginx, for what a server does with large files: lengths, chunks, gzip, redirects.
#pragma once

#include <sys/types.h>

#include <string>

#include "tests/support/temp_dir.h"

namespace musher::test {

/// Blocking; for the test's main thread. Dies with the test program, however that ends.
class NginxServer {
  public:
    /// `locations`: of its only server, in nginx's own words. Files are served from files().
    explicit NginxServer(std::string locations);
    NginxServer(const NginxServer&) = delete;
    ~NginxServer() { kill(); }

    /// Again on the same port; it accepts when this returns.
    void start();
    /// kill -9, in the middle of whatever it sends.
    void kill();

    std::string url(const std::string& path) const;
    std::string files() const { return dir_ / "files"; }

  private:
    std::string locations_;
    TempDir dir_;
    int port_ = 0;
    pid_t pid_ = -1;
};

}  // namespace musher::test
