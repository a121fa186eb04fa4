// A server program of a test, which says on its first line that it is ready.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "tests/support/temp_dir.h"

namespace musher::test {

/// Blocking; for the test's main thread. Dies with the test program, however that ends.
class Service {
  public:
    Service() = default;
    Service(const Service&) = delete;
    ~Service() { stop(); }

    /// The first line of what it prints.
    std::string start(std::vector<std::string> argv);
    void signal(int number) const;
    /// kill -9; nothing when it does not run.
    void stop();

  private:
    pid_t pid_ = -1;
};

/// cert.pem and key.pem in `dir`, for 127.0.0.1.
void make_certificate(const TempDir& dir);

}  // namespace musher::test
