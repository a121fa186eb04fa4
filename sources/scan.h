// DirScan: a folder read in windows of bounded size, whatever it holds.
#pragma once

#include <string>
#include <vector>

#include "reactor/base/fd.h"
#include "sources/file_sample.h"
#include "sources/name_rules.h"

namespace musher::hotfolder {

/// What a scan looks for. Immutable; shared with pool threads.
struct ScanRules {
    NameRules names;
    std::vector<std::string> excluded;  // relative folders that are never entered: done, failed
    bool folders_are_items = false;     // unit: folder
    bool enter_folders = false;         // recursive
    bool unmatched_too = false;         // unmatched: fail
};

struct Found {
    std::string name;
    FileSample sample;  // of files only
    bool folder = false;
    bool enter = false;  // a subfolder to be watched, no candidate
};

/// Pool threads, one at a time. Holds one buffer of names and no more.
class DirScan {
  public:
    /// `subfolder` is relative to the hot folder, "" at the top.
    DirScan(Fd folder, std::string subfolder);

    struct Window {
        std::vector<Found> found;
        bool end = false;
        int error = 0;  // errno; the window then ends the scan
    };
    /// Looks at up to limits::kScanWindow entries.
    Window next(const ScanRules& rules);
    const std::string& subfolder() const { return subfolder_; }

  private:
    bool fill(Window& window);
    void consider(const char* name, unsigned char type, const ScanRules& rules, Window& window);

    Fd folder_;
    std::string subfolder_;
    std::vector<char> buffer_;
    std::size_t at_ = 0;
    std::size_t filled_ = 0;
};

/// The rules for one entry of a folder; events are held to the same ones as scans.
struct EntryUse {
    bool item = false;
    bool enter = false;
};
EntryUse use_of(const ScanRules& rules, std::string_view subfolder, std::string_view name,
                bool folder);

}  // namespace musher::hotfolder
