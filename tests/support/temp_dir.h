// A folder of a test's own, gone with it.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include "reactor/base/check.h"

namespace musher::test {

/// Short on purpose: socket paths must stay under 108 bytes.
class TempDir {
  public:
    TempDir() {
        char name[] = "/tmp/musher-XXXXXX";
        MUSHER_CHECK(mkdtemp(name) != nullptr);
        path_ = name;
    }
    TempDir(const TempDir&) = delete;
    ~TempDir() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    const std::string& path() const { return path_; }
    std::string operator/(const std::string& name) const { return path_ + "/" + name; }

  private:
    std::string path_;
};

}  // namespace musher::test
