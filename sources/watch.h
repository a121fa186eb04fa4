// WatchListener: what both ways of watching tell the hot folder.
#pragma once

#include <string_view>

#include "sources/candidate.h"

namespace musher::hotfolder {

class WatchListener {
  public:
    virtual ~WatchListener() = default;
    /// Something happened to one name of a folder.
    virtual void on_entry(DirId dir, std::string_view name, Sign sign, bool folder) = 0;
    /// Anything may have happened to this folder, or it is no longer where it was: scan it.
    virtual void on_suspect(DirId dir) = 0;
    /// Events were lost: scan everything.
    virtual void on_overflow() = 0;
};

}  // namespace musher::hotfolder
